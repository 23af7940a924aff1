"""The command `dlquiz`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code. Every error is printed here, once, in its own words."""
    from quizcli.view.terminal import prepare_streams

    prepare_streams()
    code = _run()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run() -> int:
    from quizcli.cli.app import run
    from quizcli.errors import QuizError

    try:
        return run(sys.argv[1:])
    except QuizError as error:
        from quizcli.view.terminal import inert

        print("\n".join(inert(line) for line in str(error).splitlines()), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130


if __name__ == "__main__":
    main()
