"""What a person may set about the app itself, in `config.toml`: its keys and its looks.

    [look]
    theme = "light"      # or "dark"; "auto" asks the terminal's environment
    plain = true         # for screen readers: no lines drawn, nothing written over

    [keys]
    hint = "i"

What belongs to the learner's schedule is not here but in the log (`dlquiz config`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from quizcli.errors import QuizError, suggest
from quizcli.places import config_file

BEFORE: Final = {
    "guess": "g",
    "hint": "h",
    "skip": "s",
    "bury": "-",
    "suspend": "@",
    "undo": "u",
    "help": "?",
    "quit": "q",
}
"""Actions while a question stands, and their keys. Letters a to f and digits answer."""

AFTER: Final = {
    "everything": "e",
    "demo": "d",
    "void": "v",
    "note": "n",
    "mark": "!",
    "undo": "u",
    "help": "?",
    "quit": "q",
    "run": "r",
    "compare": "c",
    "sweep": "w",
    "falsify": "f",
    "source": "s",
}
"""Actions after the answer, and their keys. Digits 1 to 4 grade."""

THEMES: Final = ("auto", "dark", "light")


@dataclass(frozen=True, slots=True)
class Config:
    """Keys by action, and looks."""

    before: Mapping[str, str] = field(default_factory=lambda: BEFORE)
    after: Mapping[str, str] = field(default_factory=lambda: AFTER)
    theme: str = "auto"
    plain: bool = False


@lru_cache(maxsize=1)
def config() -> Config:
    """The configuration in force. Raises QuizError in one line for what cannot be used."""
    path = config_file()
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return _with_environment(Config())
    except (OSError, UnicodeDecodeError) as error:
        raise QuizError(f"{path}: cannot be read: {error}") from error
    return _with_environment(read_config(text, str(path)))


def config_changes() -> list[str]:
    """What the configuration in force changes, a line each: `hint: i, not h`."""
    found = config()
    changes = []
    for defaults, keys in ((BEFORE, found.before), (AFTER, found.after)):
        changes += [
            f"{action}: {key}, not {defaults[action]}" for action, key in keys.items() if key != defaults[action]
        ]
    if found.theme != "auto":
        changes.append(f"theme: {found.theme}")
    if found.plain:
        changes.append("plain")
    return list(dict.fromkeys(changes))


def read_config(text: str, where: str) -> Config:
    """The configuration that a file's text gives. Raises QuizError in one line that says where and what."""
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise QuizError(f"{where}: is no TOML: {error}") from error
    _refuse_unknown(data, ("look", "keys"), where, "section")
    look, keys = _table(data, "look", where), _table(data, "keys", where)
    _refuse_unknown(look, ("theme", "plain"), f"{where}: [look]", "setting")
    _refuse_unknown(keys, {**BEFORE, **AFTER}, f"{where}: [keys]", "action")
    theme, plain = look.get("theme", "auto"), look.get("plain", False)
    if theme not in THEMES:
        raise QuizError(f"{where}: [look] theme must be one of {', '.join(THEMES)}, not {theme!r}")
    if not isinstance(plain, bool):
        raise QuizError(f"{where}: [look] plain must be true or false, not {plain!r}")
    before = _keymap(BEFORE, keys, "abcdef0123456789", "answers", where)
    after = _keymap(AFTER, keys, "1234", "grades", where)
    return Config(before, after, theme, plain)


def _keymap(
    defaults: Mapping[str, str], chosen: Mapping[str, Any], taken: str, by: str, where: str
) -> Mapping[str, str]:
    """The keys of one stage; each must be one character of its own that neither answers nor grades."""
    keymap = {action: chosen.get(action, key) for action, key in defaults.items()}
    owner: dict[str, str] = {}
    for action, key in keymap.items():
        if not isinstance(key, str) or len(key) != 1 or not key.isprintable() or key == " ":
            raise QuizError(f"{where}: [keys] {action} must be one character, not {key!r}")
        if key.lower() in taken and action in chosen:
            raise QuizError(f"{where}: [keys] {action} = {key!r}: this key {by}")
        if key in owner:
            raise QuizError(f"{where}: [keys] {owner[key]} and {action} share the key {key!r}")
        owner[key] = action
    return keymap


def _table(data: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise QuizError(f"{where}: {name} must be a section, [{name}]")
    return table


def _refuse_unknown(data: Mapping[str, Any], known: Any, where: str, what: str) -> None:
    for name in data:
        if name not in known:
            near = suggest(name, known) or f"; there are {', '.join(known)}"
            raise QuizError(f"{where}: no {what} '{name}'{near}")


def _with_environment(found: Config) -> Config:
    """What the environment says comes before the file."""
    plain, theme = os.environ.get("DLQUIZ_PLAIN", ""), os.environ.get("DLQUIZ_THEME", found.theme)
    if theme not in THEMES:
        raise QuizError(f"DLQUIZ_THEME={theme}: must be one of {', '.join(THEMES)}")
    return Config(found.before, found.after, theme, found.plain if plain == "" else plain not in ("0", "false"))
