"""What a shell offers when Tab is pressed: topics, question ids, demos with their parameters. Never an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from quizcli.errors import QuizError
from quizcli.vocabulary import KINDS, LEVELS, SKILLS

if TYPE_CHECKING:
    from quizcli.lab.catalog import Demo


def kinds() -> list[str]:
    return list(KINDS)


def levels() -> list[str]:
    return list(LEVELS)


def skills() -> list[str]:
    return list(SKILLS)


def topics(incomplete: str) -> list[tuple[str, str]]:
    """Areas and topics; behind a topic's slash its questions."""
    from quizcli.cli.sitting import open_library

    found: list[tuple[str, str]] = []
    with suppress(QuizError):
        library = open_library()
        if "/" in incomplete:
            return [(entry.id, f"{entry.kind}, {entry.level}") for entry in library.entries(incomplete.split("/")[0])]
        infos = library.topics()
        found = [(info.name, info.title) for info in infos]
        found += [(area, "area") for area in dict.fromkeys(info.area for info in infos)]
    return found


def demos() -> list[tuple[str, str]]:
    """The demos with their titles."""
    catalog = _catalog()
    found = []
    for name in catalog.names:
        with suppress(QuizError):
            found.append((name.replace("_", "-"), catalog.find(name).title))
    return found


def assignments(ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """`NAME=` for each parameter of the demo named before."""
    demo = _demo_of(ctx)
    if demo is None or "=" in incomplete:
        return []
    return [(f"{name}=", parameter.meaning or parameter.allowed) for name, parameter in demo.parameters.items()]


def claims(ctx: Any) -> list[tuple[str, str]]:
    """The claims of the demo named before."""
    demo = _demo_of(ctx)
    return [] if demo is None else [(claim.name, claim.says) for claim in demo.claims.values()]


def quantities(ctx: Any) -> list[tuple[str, str]]:
    """The measures and claims of the demo named before."""
    demo = _demo_of(ctx)
    return [] if demo is None else [*demo.measures.items(), *claims(ctx)]


class DemoCommand(TyperCommand):
    """`dlquiz demo`, whose options depend on the demo that is named."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        items: list[Any] = list(super().shell_complete(ctx, incomplete))
        offered = _options_and_values(ctx, incomplete)
        return items + [_Item(value, meaning) for value, meaning in offered if value.startswith(incomplete)]


@dataclass(frozen=True, slots=True)
class _Item:
    """What the framework's own items are to the shell scripts; their class is not public."""

    value: str
    help: str
    type: str = "plain"


def _options_and_values(ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """The options of the named demo, or the values of the one that stands before."""
    demo = _demo_of(ctx)
    if demo is None:
        return
    if incomplete.startswith("-"):
        for parameter in demo.parameters.values():
            yield parameter.option, parameter.meaning or parameter.allowed
        return
    before = ctx.args[-1] if ctx.args else ""
    for parameter in demo.parameters.values():
        if before in (parameter.option, f"--{parameter.name}"):
            words = parameter.choices or (("true", "false") if parameter.kind == "bool" else ())
            yield from ((word, parameter.meaning) for word in words)


def _demo_of(ctx: Any) -> Demo | None:
    # Behind an option whose value is still missing, the framework has not read the arguments yet.
    name = ctx.params.get("name") or next((word for word in ctx.args if not word.startswith("-")), None)
    with suppress(QuizError):
        return _catalog().find(name) if name else None
    return None


def _catalog() -> Any:
    from quizcli.lab.catalog import Catalog
    from quizcli.places import demo_folder

    return Catalog(demo_folder())
