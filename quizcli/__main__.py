"""The command `dlquiz`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code. Every error is printed here, once, in its own words."""
    # Importing makes many objects and hardly any garbage: looking for it seldom starts a tenth sooner.
    gc.set_threshold(50_000, 20, 20)
    from quizcli.view.terminal import finish, prepare_streams

    prepare_streams()
    code = finish(_run())
    if "torch" in sys.modules:
        # Everything is written: taking torch apart object by object would only let the shell wait.
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    from quizcli.errors import QuizError

    try:
        if sys.argv[1:] in (["due"], ["due", "--json"]):
            # A shell prompt asks this each time: the framework of the other commands would take half of its time.
            from quizcli.cli import due

            return due.show("--json" in sys.argv)
        from quizcli.cli.app import run

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
