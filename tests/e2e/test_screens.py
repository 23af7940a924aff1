"""Every view as it stands on a terminal, against the screens that were looked at.

`DLQUIZ_SCREENS=write` keeps new ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quizcli.progress import events
from quizcli.progress.events import Draft
from quizcli.vocabulary import Rating
from tests.logs import Clock, open_log

from .conftest import Open
from .program import ENTER, Terminal

if os.name != "posix":
    pytest.skip("a pseudo-terminal needs POSIX", allow_module_level=True)

KEPT = Path(__file__).parent / "screens"
SIZES = [(80, 24), (120, 40)]
SEED = ("--seed", "1")


def question(terminal: Terminal) -> None:
    terminal.wait_for_status("Space shows")


def options(terminal: Terminal) -> None:
    question(terminal)
    terminal.press(" ")
    terminal.wait_for_status("One of these")


def hint(terminal: Terminal) -> None:
    question(terminal)
    terminal.press("h?")
    terminal.wait_for("s skip")
    terminal.wait_for_status("Space shows")


def wrong(terminal: Terminal) -> None:
    options(terminal)
    letter = next(line.split()[0] for line in terminal.shown.splitlines() if "It stays as it was" in line)
    terminal.press(letter + ENTER)
    terminal.wait_for_status("everything")


def everything(terminal: Terminal) -> None:
    wrong(terminal)
    terminal.press("e")
    terminal.wait_for("What an interviewer listens for")
    terminal.wait_until(lambda: re.search("Space more|everything", terminal.status) is not None, "a line of keys")


def ticking(terminal: Terminal) -> None:
    terminal.wait_for_status("Say it aloud")
    terminal.press(" ")
    terminal.wait_for_status(">")
    terminal.press("a constant cancels" + ENTER)
    terminal.wait_for_status("Enter ends")


def summary(terminal: Terminal) -> None:
    wrong(terminal)
    terminal.press(ENTER)
    assert terminal.wait_for_end() == 0


def ended(terminal: Terminal) -> None:
    assert terminal.wait_for_end() == 0


def exhibit(terminal: Terminal) -> None:
    question(terminal)
    terminal.press(" ")
    terminal.wait_for_status("One of these")


def evidence(terminal: Terminal) -> None:
    wrong(terminal)
    terminal.press("d")
    prediction(terminal)
    terminal.press(ENTER)
    terminal.wait_for_status("r run changed")


def side_by_side(terminal: Terminal) -> None:
    evidence(terminal)
    terminal.press("c")
    terminal.wait_for("compare with")
    terminal.press("gap=0" + ENTER)
    terminal.wait_for("side by side")
    terminal.wait_for_status("r run changed")


def prediction(terminal: Terminal) -> None:
    terminal.wait_for("Your prediction?")


VIEWS: dict[str, tuple[tuple[str, ...], Callable[[Terminal], None]]] = {
    "question": (("practice", "shares/factor", *SEED), question),
    "options": (("practice", "shares/factor", *SEED), options),
    "hint and keys": (("practice", "shares/factor", *SEED), hint),
    "wrong": (("practice", "shares/factor", *SEED), wrong),
    "everything": (("practice", "shares/factor", *SEED), everything),
    "ticking": (("practice", "shares/why-shift", *SEED), ticking),
    "summary": (("practice", "shares/factor", *SEED), summary),
    "home": ((), ended),
    "stats": (("stats",), ended),
    "topics": (("topics",), ended),
    "help": (("--help",), ended),
    "exhibit": (("practice", "shares/curve", *SEED), exhibit),
    "evidence": (("practice", "shares/factor", *SEED), evidence),
    "side by side": (("practice", "shares/factor", *SEED), side_by_side),
    "sweep": (("demo", "softmax", "--sweep", "gap=-4,-2,0,2,4", "--watch", "two-class"), ended),
    "prediction": (("demo", "softmax"), prediction),
    "plain": (("explain", "shares/bug", "--plain"), ended),
}


@pytest.fixture
def studied(home: Path) -> None:
    """A learner who has answered on four days."""
    log_path = home / "data" / "progress.sqlite"
    answers = [(9, "factor", Rating.GOOD), (9, "bug", Rating.AGAIN), (5, "bug", Rating.GOOD), (2, "steps", Rating.GOOD)]
    for days, name, rating in answers:
        log = open_log(log_path, Clock(datetime.now(UTC) - timedelta(days=days)))
        body = {"kind": "choice", "seconds": 20.0, "right": rating is not Rating.AGAIN, "score": 1.0}
        log.append(Draft(events.ANSWER, f"dl:shares/{name}", rating, retention=0.9, body=body))
        log.close()


@pytest.mark.usefixtures("studied")
@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("view", VIEWS)
def test_view_is_the_one_that_was_looked_at(open_terminal: Open, view: str, columns: int, rows: int) -> None:
    arguments, reach = VIEWS[view]
    terminal = open_terminal(*arguments, columns=columns, rows=rows)
    reach(terminal)
    shown = masked(terminal.shown)
    path = KEPT / f"{view.replace(' ', '-')}-{columns}x{rows}.txt"
    if os.environ.get("DLQUIZ_SCREENS") == "write":
        path.write_text(shown + "\n", encoding="utf-8")
    assert shown + "\n" == path.read_text(encoding="utf-8"), f"DLQUIZ_SCREENS=write keeps the new screen: {path}"
    assert terminal.too_wide == []


def masked(shown: str) -> str:
    """A screen without what differs from day to day or with the processor: the calendar, the forecast, percentages,
    places, and what is left by rounding alone."""
    shown = re.sub(r"^(  (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ).*$", r"\1…", shown, flags=re.M)
    shown = re.sub(r"^  [ ▁▂▃▄▅▆▇█]+\|  today .*$", "  … the next 30 days …", shown, flags=re.M)
    shown = re.sub(r"^  …(.*)$", r"  …\1", shown, flags=re.M)
    shown = re.sub(r"\d{4}-\d\d-\d\d", "DATE", re.sub(r"\d+%", "#%", shown))
    shown = re.sub(r"\d[\d.]*e-(?:0[89]|[1-3]\d)( *)", lambda m: "ROUNDING" + m[1][:2], shown)
    return re.sub(r"(?<=   )/\S+:\d+", "FILE", shown)
