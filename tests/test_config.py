"""Keys and looks from a TOML file: what is read, and the one line with which a wrong file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from quizcli.config import AFTER, BEFORE, Config, config, config_changes, read_config
from quizcli.errors import QuizError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLQUIZ_HOME", str(tmp_path))
    monkeypatch.delenv("DLQUIZ_PLAIN", raising=False)
    monkeypatch.delenv("DLQUIZ_THEME", raising=False)
    config.cache_clear()
    return tmp_path


def test_an_empty_file_changes_nothing() -> None:
    assert read_config("", "x") == Config(BEFORE, AFTER, "auto", False)


def test_default_keys_of_a_stage_are_all_different_and_neither_answer_nor_grade() -> None:
    for keys, taken in ((BEFORE, "abcdef0123456789"), (AFTER, "1234")):
        assert len(set(keys.values())) == len(keys)
        assert not set(keys.values()) & set(taken)


def test_keys_and_looks_are_read() -> None:
    text = '[look]\ntheme = "light"\nplain = true\n[keys]\nhint = "i"\nundo = "z"\n'
    found = read_config(text, "x")
    assert (found.theme, found.plain) == ("light", True)
    assert found.before == {**BEFORE, "hint": "i", "undo": "z"}
    assert found.after == {**AFTER, "undo": "z"}


def test_two_actions_may_swap_their_keys() -> None:
    found = read_config('[keys]\nhint = "s"\nskip = "h"\n', "x")
    assert (found.before["hint"], found.before["skip"]) == ("s", "h")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[keys]\nhint = 1", "x: [keys] hint must be one character, not 1"),
        ("[keys]\nhint = 'hh'", "x: [keys] hint must be one character, not 'hh'"),
        ("[keys]\nhint = ' '", "x: [keys] hint must be one character, not ' '"),
        ("[keys]\nhint = '\u001b'", "x: is no TOML"),
        ("[keys]\nhint = 'b'", "x: [keys] hint = 'b': this key answers"),
        ("[keys]\ndemo = '3'", "x: [keys] demo = '3': this key grades"),
        ("[keys]\nhint = 'g'", "x: [keys] guess and hint share the key 'g'"),
        ("[keys]\nhnit = 'i'", "x: [keys]: no action 'hnit' (did you mean 'hint'?)"),
        ("keys = 3", "x: keys must be a section, [keys]"),
        ("[key]\nhint = 'i'", "x: no section 'key' (did you mean 'keys'?)"),
        ("[look]\ntheme = 'pink'", "x: [look] theme must be one of auto, dark, light, not 'pink'"),
        ("[look]\nplain = 'yes'", "x: [look] plain must be true or false, not 'yes'"),
        ("[look", "x: is no TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(QuizError) as refused:
        read_config(text, "x")
    assert str(refused.value).startswith(says) and "\n" not in str(refused.value)


def test_the_file_lies_in_the_home_and_the_environment_comes_before_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config() == Config()
    config.cache_clear()
    (home / "config.toml").write_text('[look]\ntheme = "light"\n[keys]\nhint = "i"\n')
    assert config().theme == "light" and config_changes() == ["hint: i, not h", "theme: light"]
    config.cache_clear()
    monkeypatch.setenv("DLQUIZ_THEME", "dark")
    monkeypatch.setenv("DLQUIZ_PLAIN", "1")
    assert (config().theme, config().plain) == ("dark", True)
    config.cache_clear()
    monkeypatch.setenv("DLQUIZ_THEME", "pink")
    with pytest.raises(QuizError, match="DLQUIZ_THEME=pink: must be one of auto, dark, light"):
        config()
    config.cache_clear()


def test_a_file_that_is_no_text_is_refused(home: Path) -> None:
    (home / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(QuizError, match=r"config\.toml: cannot be read"):
        config()
    config.cache_clear()
