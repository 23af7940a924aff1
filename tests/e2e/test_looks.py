"""What a person may change about the screens: their size while a question stands, keys, colors, plain words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Open, Run
from .program import ENTER, TROUBLE, with_demos

if os.name != "posix":
    pytest.skip("a pseudo-terminal needs POSIX", allow_module_level=True)

FACTOR = "All logits are multiplied by five."


# --- Another size -----------------------------------------------------------------------------------


def test_question_is_set_anew_for_another_width(open_terminal: Open) -> None:
    terminal = open_terminal("practice", "--seed", "1", "shares/factor", "shares/unchanged", columns=120, rows=40)
    terminal.wait_for_status("Space shows")
    terminal.press(" ")
    terminal.wait_for_status("One of these")
    terminal.press("b")
    terminal.wait_for_status("> b")
    terminal.resize(48, 24)
    anew = lambda: "1 of 2" in terminal.shown and terminal.status.startswith("One of")  # noqa: E731
    terminal.wait_until(anew, "the question anew")
    shown = terminal.shown
    assert FACTOR.split()[0] in shown and "The largest share grows" in shown
    assert "> b" in terminal.status or terminal.status.endswith("…")
    assert max(map(len, shown.splitlines())) <= 48
    terminal.press(ENTER)
    terminal.wait_for_status("Enter ")
    terminal.resize(100, 30)
    terminal.wait_until(lambda: "1 of 2" in terminal.shown and "everything" in terminal.status, "the verdict anew")
    assert re.search(r"[✓✗] (Right|Wrong)", terminal.shown) and "The largest share grows" in terminal.shown
    terminal.press(ENTER)
    terminal.wait_for("2 of 2")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert "Traceback" not in terminal.seen


def test_another_height_alone_changes_nothing(open_terminal: Open) -> None:
    terminal = open_terminal("practice", "--seed", "1", "shares/bug", columns=80, rows=40)
    terminal.wait_for_status("Which line")
    terminal.press("2")
    terminal.wait_for_status("> 2")
    terminal.resize(80, 30)
    terminal.wait_until_idle()
    terminal.press("3")
    terminal.wait_for_status("> 23")
    assert terminal.raw.count(b"1 of 1") == 1


# --- Long explanations ------------------------------------------------------------------------------


def test_long_explanation_stops_at_each_screen(open_terminal: Open) -> None:
    terminal = open_terminal("practice", "--seed", "1", "shares/why-shift", columns=80, rows=12)
    terminal.wait_for_status("Say it aloud")
    terminal.press(ENTER)
    terminal.wait_for_status("everything")
    before = len(terminal.seen.splitlines())
    terminal.press("e")
    terminal.wait_for_status("Space more")
    assert len(terminal.seen.splitlines()) - before <= 12
    stops = 1
    while "Space more" in terminal.status:
        share = terminal.status.split("%")[0]
        terminal.press(" ")
        terminal.wait_until(lambda share=share: terminal.status.split("%")[0] != share, "the next screen")
        stops += 1
        terminal.wait_until(
            lambda: "Space more" in terminal.status or "everything" in terminal.status, "a line of keys"
        )
    assert stops >= 2
    paged = terminal.seen
    assert "Space more" not in paged
    whole = open_terminal("practice", "--seed", "1", "shares/why-shift", columns=80, rows=60)
    whole.wait_for_status("Say it aloud")
    whole.press(ENTER)
    whole.wait_for_status("everything")
    whole.press("e")
    whole.wait_for("Sources")
    whole.wait_for_status("everything")
    assert whole.seen.splitlines()[:-1] == paged.splitlines()[:-1]


def test_explanation_can_be_left_and_run_to_its_end(open_terminal: Open) -> None:
    terminal = open_terminal("practice", "--seed", "1", "shares/why-shift", columns=80, rows=12)
    terminal.wait_for_status("Say it aloud")
    terminal.press(ENTER)
    terminal.wait_for_status("everything")
    terminal.press("e")
    terminal.wait_for_status("Space more")
    terminal.press("xq")
    terminal.wait_for_status("everything")
    assert "Sources" not in terminal.seen
    terminal.press("e")
    terminal.wait_for_status("Space more")
    terminal.press(ENTER)
    terminal.wait_for("Sources")
    terminal.wait_for_status("everything")


# --- Keys and looks from the file --------------------------------------------------------------------


def test_keys_of_the_file_act_and_are_shown(open_terminal: Open, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[keys]\nhint = "i"\nhelp = "k"\neverything = "x"\nquit = "Q"\n')
    terminal = open_terminal("practice", "--seed", "1", "shares/factor")
    terminal.wait_for_status("k keys")
    terminal.press("hq")
    terminal.press("i")
    terminal.wait_for("Hint: Think of a temperature.")
    terminal.press("k")
    terminal.wait_for("i hint")
    terminal.press(ENTER)
    terminal.wait_for_status("x everything", "Q quit")
    terminal.press("x")
    terminal.wait_for("A common factor is a lower temperature")
    terminal.wait_for_status("x everything")
    terminal.press("Q")
    assert terminal.wait_for_end() == 0
    assert terminal.seen.count("Hint:") == 1


def test_file_that_cannot_be_used_stops_every_screen_in_one_line(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[keys]\nhint = "b"\n')
    for command in (("practice",), ("doctor",), ("topics",)):
        done = run(*command)
        assert done.returncode == 1
        assert done.stderr.splitlines() == [f"{home / 'config.toml'}: [keys] hint = 'b': this key answers"]


def test_doctor_names_the_file_and_what_it_changes(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[look]\ntheme = "light"\n[keys]\nhint = "i"\n')
    shown = run("doctor").stdout
    assert f"settings  {home / 'config.toml'}" in shown
    assert "hint: i, not h" in shown and "theme: light" in shown


@pytest.mark.parametrize(
    ("told", "code"), [({"DLQUIZ_THEME": "light"}, "34"), ({"COLORFGBG": "0;15"}, "34"), ({}, "36")]
)
def test_code_is_blue_on_light_and_cyan_on_dark(open_terminal: Open, told: dict[str, str], code: str) -> None:
    changes = {"COLORFGBG": "", **told}
    terminal = open_terminal("practice", "--seed", "1", "shares/bug", changes=changes)
    terminal.wait_for_status("Which line")
    assert f"\x1b[{code}m" in terminal.raw.decode()
    assert f"\x1b[{'36' if code == '34' else '34'}m" not in terminal.raw.decode()


# --- For a screen reader -----------------------------------------------------------------------------

DRAWN = re.compile("[─│┌┐└┘━█▓▒░▀▁⠀-⣿]")


def test_plain_session_draws_nothing_and_writes_nothing_over(open_terminal: Open) -> None:
    terminal = open_terminal("practice", "--plain", "--seed", "1", "shares/factor", "shares/curve")
    terminal.wait_for("One of these is right.")
    terminal.press("a" + ENTER)
    terminal.wait_for("Grade 1 to 4")
    terminal.press(":d" + ENTER)
    terminal.wait_for("measured 1")
    terminal.press(ENTER)
    terminal.wait_for("2 of 2")
    terminal.press(":q" + ENTER)
    assert terminal.wait_for_end() == 0
    assert not DRAWN.search(terminal.seen), DRAWN.findall(terminal.seen)
    written = terminal.raw.replace(b"\r\n", b"\n")
    assert b"\r" not in written and b"\x1b[2K" not in written and b"\x1b[H" not in written


def test_plain_demo_tells_plots_and_pictures_in_words(run: Run, mishap: Callable[[str], Path]) -> None:
    shown = run("demo", "softmax", "--plain").stdout
    assert not DRAWN.search(shown)
    assert re.search(r"^Plot: entropy \(nats\), against temperature$", shown, re.M)
    assert re.search(r"from \S+ at 0\.01 to \S+ at 100, lowest \S+ at \S+,\s+highest", shown)
    folder = mishap('yield Image("filters", {"first": [[0.0, 1.0], [2.0, 3.0]]})')
    source = (folder / "mishap.py").read_text()
    (folder / "mishap.py").write_text(source.replace(" Evidence, ", " Evidence, Image, "))
    told = run("demo", "mishap", "--plain", command=with_demos(folder), bank=TROUBLE).stdout
    assert "Pictures, filters (values 0 to 3): first, 2 by 2" in told
