"""A demo's parameters as options of a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from quizcli.errors import UsageError, suggest
from quizcli.lab.catalog import Demo, Value
from quizcli.view.terminal import inert


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of printing and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}")


def read_settings(demo: Demo, options: Sequence[str], command: str) -> dict[str, Value] | None:
    """The settings that options such as `--hidden 8` give; None where they asked for help, which is then printed."""
    parser = _Parser(
        prog=command,
        usage=f"{command} [--PARAMETER VALUE ...]",
        description=demo.title,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action="store_true", dest=" help", help="show these options and leave")
    for parameter in demo.parameters.values():
        texts = [parameter.meaning, parameter.allowed, f"default {parameter.default}"]
        names = {parameter.option, "--" + parameter.name}
        parser.add_argument(
            *sorted(names),
            dest=parameter.name,
            metavar="VALUE",
            help="; ".join(text for text in texts if text).replace("%", "%%"),
        )
    found, rest = parser.parse_known_args(_attach_negative(options))
    values = vars(found)
    if values.pop(" help"):
        print(inert(parser.format_help()), end="")
        return None
    if rest:
        known = [parameter.option for parameter in demo.parameters.values()]
        name = rest[0].split("=")[0]
        raise UsageError(f"{command}: no option '{name}'{suggest(name, known)}; {command} --help lists them")
    settings = {}
    for name, text in values.items():
        if text is not None:
            try:
                settings[name] = demo.parameters[name].read(text)
            except UsageError as error:
                raise UsageError(f"{command}: {error}") from None
    return settings


def _attach_negative(options: Sequence[str]) -> list[str]:
    """`--gap -2` as `--gap=-2`: a negative value is no option."""
    joined: list[str] = []
    for option in options:
        number = option.startswith("-") and option[1:2] in tuple("0123456789.")
        if number and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += "=" + option
        else:
            joined.append(option)
    return joined
