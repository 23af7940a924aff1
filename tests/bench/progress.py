"""Progress at size: an answer made durable, study with a million events, replay. `python tests/bench/progress.py`.

`--anki PYTHON` names a Python that has `anki` installed, for the row that compares with its engine.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from banks import write_bank
from timing import ENVIRONMENT, Command, measure, ratio

from quizcli.progress.events import ANSWER, Draft, Moment, system_clock
from quizcli.progress.log import Log
from quizcli.vocabulary import Rating

ROOT = Path(__file__).resolve().parent.parent.parent
DLQUIZ = str(Path(sys.executable).with_name("dlquiz"))
DAY = 86_400_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--anki", metavar="PYTHON", help="a Python that has anki installed")
    parser.add_argument("--cards", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        durable(Path(folder), options.anki)
        at_size(Path(folder), options.cards, options.events, options.rounds)


def durable(folder: Path, anki: str | None) -> None:
    """An answer written by `Log.append`, against a bare one-row commit in the same folder, in turn."""
    log = Log(folder / "log.sqlite", system_clock)
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("CREATE TABLE event (body TEXT)")
    body = {"kind": "choice", "chosen": [1], "order": [2, 1, 0, 3], "seconds": 21.5, "score": 1.0, "right": True}
    answers, commits = list[float](), list[float]()
    for number in range(2_000):
        start = time.perf_counter()
        log.append(Draft(ANSWER, f"dl:topic/q{number % 300}", Rating.GOOD, retention=0.9, body=body))
        answers.append(time.perf_counter() - start)
        start = time.perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO event VALUES (?)", (json.dumps(body),))
        bare.execute("COMMIT")
        commits.append(time.perf_counter() - start)
    for name, taken in (("an answer made durable", answers), ("a bare one-row commit", commits)):
        print(f"{name:28} median {1e3 * statistics.median(taken):.3f} ms, p99 {1e3 * p99(taken):.3f} ms")
    row("an answer made durable, p99 / a bare commit", p99(answers) / p99(commits), 2)
    if anki:
        script = str(Path(__file__).with_name("anki_card.py"))
        subprocess.run([anki, script, "setup", str(folder / "anki"), "2000"], check=True)
        run = subprocess.run(
            [anki, script, "answer", str(folder / "anki"), "1000"], check=True, capture_output=True, text=True
        )
        theirs = json.loads(run.stdout)
        print(
            f"{'an answer in Anki':28} median {1e3 * statistics.median(theirs):.3f} ms, p99 {1e3 * p99(theirs):.3f} ms"
        )
        row("the same / Anki's engine", p99(answers) / p99(theirs), 0.5)


def at_size(folder: Path, cards: int, events: int, rounds: int) -> None:
    """Study and due with a large log against a small one; replay of the large one."""
    homes = {}
    for name, (some_cards, some_events) in {"small": (400, 4_000), "large": (cards, events)}.items():
        bank, home = folder / f"bank-{name}", folder / f"home-{name}"
        write_bank(ROOT / "questions" / "neurons" / "softmax.yaml", bank, min(some_cards, 30_000))
        (bank / "misconceptions.yaml").write_bytes((ROOT / "questions" / "misconceptions.yaml").read_bytes())
        homes[name] = {"DLQUIZ_HOME": str(home), "DLQUIZ_BANK": str(bank)}
        seconds = write_history(home / "data" / "progress.sqlite", some_cards, some_events)
        print(f"replay of {some_events:,} events: {seconds:.1f} s")
        subprocess.run([DLQUIZ, "due"], env={**ENVIRONMENT, **homes[name]}, check=True)
    commands = {
        "python -c pass": Command([sys.executable, "-c", "pass"]),
        "study, small": Command([DLQUIZ, "study"], "1 of ", homes["small"]),
        "study, large": Command([DLQUIZ, "study"], "1 of ", homes["large"]),
        "due, small": Command([DLQUIZ, "due"], "", homes["small"]),
    }
    taken = measure(commands, rounds)
    for name, seconds in taken.items():
        print(f"{name:28} {1e3 * statistics.median(seconds):8.1f} ms")
    row(f"start of study, {cards:,} cards / 400", ratio(taken, "study, large", "study, small"), 1.2)
    row("dlquiz due / python -c pass", ratio(taken, "due, small", "python -c pass"), 8)


def write_history(path: Path, cards: int, events: int) -> float:
    """A log of so many answers, ten a card over the last months, written at once; returns the seconds of its replay."""
    chance = random.Random(1)
    now = system_clock()
    log = Log(path, lambda: Moment(now.at - 400 * DAY, now.offset))
    rows = []
    each = events // cards
    for card in range(cards):
        name = f"dl:topic-{card // 50}/q{card % 50}"
        day = chance.randrange(200, 400)
        for number in range(each):
            at = now.at - (400 - day) * DAY
            rating = chance.choices((1, 2, 3, 4), (1, 1, 7, 1))[0]
            rows.append((name, at, at // DAY, rating))
            day = min(398, day + 1 + chance.randrange(2 ** min(number + 1, 7)))
    rows.sort(key=lambda entry: entry[1])
    with log.writing():
        log.db.executemany(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, 'answer', ?, ?, NULL, 0.9, NULL, '{}')",
            (
                (f"{number:024x}", log.machine, number + 1, at, at, now.offset, day, name, rating)
                for number, (name, at, day, rating) in enumerate(rows)
            ),
        )
    start = time.perf_counter()
    log.rebuild()
    seconds = time.perf_counter() - start
    log.close()
    return seconds


def p99(taken: list[float]) -> float:
    return sorted(taken)[int(0.99 * len(taken))]


def row(what: str, value: float, bar: float) -> None:
    print(f"{what:50} {value:7.2f}   at most {bar:g}{'' if value <= bar else '   MISSED'}")


if __name__ == "__main__":
    main()
