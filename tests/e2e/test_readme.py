"""The README says and shows what the program does."""

from __future__ import annotations

import os

import pytest

from tests.readme.make import COMMANDS, HERE, PICTURES, ROOT, picture, readme_with_reference, words

AGAIN = "python -m tests.readme.make makes it anew"


def test_command_reference_is_what_help_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_with_reference(readme) == readme, AGAIN


def test_every_command_is_in_the_reference() -> None:
    import typer

    from quizcli.cli.app import app

    group = typer.main.get_command(app)
    named = {command.split()[0] for command in COMMANDS}
    assert named == set(group.commands)  # type: ignore[attr-defined]


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal needs POSIX")
@pytest.mark.parametrize("name", PICTURES)
def test_picture_shows_what_the_program_shows(name: str) -> None:
    kept = (HERE / f"{name}.svg").read_text(encoding="utf-8")
    assert words(picture(name)) == words(kept), AGAIN


def test_every_picture_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in PICTURES if f"tests/readme/{name}.svg" not in readme] == []
