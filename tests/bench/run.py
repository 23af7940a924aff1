"""The design's table of speeds, as ratios taken in one run: `python tests/bench/run.py [--anki PYTHON]`.

Run it where dlquiz is installed. `--anki` names a Python that has `anki` installed; without
it the rows that compare with Anki's engine are left out. Nothing here fails: it prints each ratio beside its bar.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from banks import write_bank
from session import key_to_first_output, longest_wait
from timing import ENVIRONMENT, Command, measure, peak_megabytes, ratio

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DLQUIZ = str(Path(sys.executable).with_name("dlquiz"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--anki", metavar="PYTHON", help="a Python that has anki installed")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench(Path(folder), options.rounds, options.anki)


def bench(folder: Path, rounds: int, anki: str | None) -> None:
    home = {"DLQUIZ_HOME": str(folder / "home")}
    small, large = folder / "small", folder / "large"
    source = ROOT / "questions" / "neurons" / "softmax.yaml"
    for bank, size in ((small, 400), (large, 30_000)):
        write_bank(source, bank, size)
        (bank / "misconceptions.yaml").write_bytes((ROOT / "questions" / "misconceptions.yaml").read_bytes())
        subprocess.run(
            [DLQUIZ, "topics"],
            env={**ENVIRONMENT, **home_of(bank)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    first = [DLQUIZ, "practice", "--seed", "1"]
    commands = {
        "python -c pass": Command([sys.executable, "-c", "pass"]),
        "practice, first question": Command(first, "1 of 10", home),
        "practice of 400": Command(first, "1 of 10", home_of(small)),
        "practice of 30,000": Command(first, "1 of 10", home_of(large)),
        "--help": Command([DLQUIZ, "--help"]),
    }
    if anki:
        script = str(HERE / "anki_card.py")
        subprocess.run([anki, script, "setup", str(folder / "anki"), "400"], check=True)
        peer = [anki, script, "first", str(folder / "anki")]
        commands |= {"anki, first card": Command(peer, "first card"), "anki, whole process": Command(peer)}
    taken = measure(commands, rounds)
    demo = {
        "dlquiz demo lstm": Command([DLQUIZ, "demo", "lstm"]),
        "python demos/lstm.py": Command([sys.executable, str(ROOT / "demos" / "lstm.py")]),
    }
    taken |= measure(demo, max(5, rounds // 3), 1)
    for name, seconds in taken.items():
        print(f"{name:28} {1e3 * statistics.median(seconds):8.1f} ms")
    print()
    row(
        "practice to its first question / python -c pass",
        ratio(taken, "practice, first question", "python -c pass"),
        11,
    )
    if anki:
        row(
            "the same / Anki's engine, as a process",
            ratio(taken, "practice, first question", "anki, whole process"),
            0.4,
        )
        row(
            "the same / Anki's engine, to its first card",
            ratio(taken, "practice, first question", "anki, first card"),
            0.4,
        )
    row("the same with 30,000 questions / 400", ratio(taken, "practice of 30,000", "practice of 400"), 1.2)
    row("dlquiz --help / python -c pass", ratio(taken, "--help", "python -c pass"), 13)
    row("dlquiz demo lstm / python demos/lstm.py", ratio(taken, "dlquiz demo lstm", "python demos/lstm.py"), 1.1)
    inside, outside = key_to_first_output(DLQUIZ, folder / "home", max(3, rounds // 5))
    print(f"a torch demo's first output: {1e3 * inside:.0f} ms in a session, {1e3 * outside:.0f} ms from the shell")
    row("a demo in a session, key to first output / shell", inside / outside, 0.1)
    row("longest wait for a key while it gets ready, ms", 1e3 * longest_wait(DLQUIZ, folder / "home"), 20)
    typed = "\n\n" * 20
    row("memory of a quiz without demos, MB", peak_megabytes([*first, "--kind", "choice"], home, typed), 60)


def home_of(bank: Path) -> dict[str, str]:
    """A bank of its own, with data and caches of its own."""
    return {"DLQUIZ_HOME": f"{bank}-home", "DLQUIZ_BANK": str(bank)}


def row(what: str, value: float, bar: float) -> None:
    print(f"{what:50} {value:7.2f}   at most {bar:g}{'' if value <= bar else '   MISSED'}")


if __name__ == "__main__":
    main()
