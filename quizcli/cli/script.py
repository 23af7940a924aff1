"""A demo run as a script of its own: `python demos/softmax.py --classes 10`."""

from __future__ import annotations

import sys
from pathlib import Path


def run_script(path: str) -> None:
    """Run the demo of that file with the options of the command line, and leave with its exit code."""
    from quizcli.cli.demo import run_demo
    from quizcli.errors import QuizError
    from quizcli.lab.catalog import describe
    from quizcli.view.terminal import finish, prepare_streams

    prepare_streams()
    options = sys.argv[1:]
    flags = {flag: flag in options for flag in ("--json", "--debug")}
    rest = [option for option in options if option not in flags]
    try:
        demo = describe(Path(path).resolve())
        code = run_demo(demo, rest, as_json=flags["--json"], debug=flags["--debug"], command=Path(path).name)
    except QuizError as error:
        print(error, file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 0
    sys.exit(finish(code))
