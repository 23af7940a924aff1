"""FSRS's weights fitted to simulated reviews: `python tests/bench/optimize.py [--reviews 10000] [--peer]`.

`--peer` also runs py-fsrs's optimizer on the same reviews, which takes minutes, and prints how many times as long that
is and what the weights of both lose on reviews that neither has seen. It needs `fsrs`; torch is there.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from quizcli.optimizing import (  # noqa: E402
    History,
    Trial,
    change_in_due,
    fit,
    held_out,
    histories,
    judge,
    predict,
    trials,
)
from quizcli.progress.progress import Progress  # noqa: E402
from quizcli.scheduling import default_weights  # noqa: E402
from tests.learners import SWIFT, as_events, as_histories, simulate  # noqa: E402
from tests.logs import DAY, open_log  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", type=int, default=10_000)
    parser.add_argument("--peer", action="store_true", help="run py-fsrs's optimizer too")
    options = parser.parse_args()
    for name, weights in (("as the defaults say", default_weights()), ("unlike the defaults", SWIFT)):
        print(f"a learner {name}, {options.reviews} reviews")
        answers = simulate(weights, options.reviews, seed=1, new=20)
        learned = as_histories(answers)
        seen, asked = held_out(trials(learned))
        older = up_to(learned, seen[-1].review.day)
        ours = timed("fitted", lambda older=older: fit(older), rounds=5)
        timed("fitted and judged", lambda learned=learned: judge(learned, None), rounds=5)
        with tempfile.TemporaryDirectory() as folder:
            progress = Progress(open_log(Path(folder) / "log"))
            progress.log.merge(as_events(answers, last_day=DAY))
            timed("read from the log", lambda progress=progress: histories(progress.log), rounds=3)
            timed("change in due cards", lambda progress=progress: change_in_due(progress, SWIFT), rounds=3)
            progress.log.close()
        losses = {"ours": ours[1], "the defaults": default_weights(), "the true ones": weights}
        if options.peer:
            theirs = timed("fitted by py-fsrs", lambda older=older: peer(older), rounds=1)
            print(f"  py-fsrs / ours: {theirs[0] / ours[0]:.0f} times as long")
            losses["py-fsrs's"] = theirs[1]
        for whose, found in losses.items():
            print(f"  held-out log loss of {whose:14} {held_out_loss(found, asked):.4f}")


def timed(what: str, act: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """The median of the seconds it takes, and what it gives."""
    taken, result = [], None
    for _ in range(rounds):
        start = time.perf_counter()
        result = act()
        taken.append(time.perf_counter() - start)
    print(f"  {what:22} {statistics.median(taken):9.3f} s")
    return statistics.median(taken), result


def up_to(learned: Sequence[History], day: int) -> list[History]:
    """The reviews up to a day."""
    cut = (History(h.card, tuple(review for review in h.reviews if review.day <= day)) for h in learned)
    return [history for history in cut if history.reviews]


def held_out_loss(weights: tuple[float, ...], asked: Sequence[Trial]) -> float:
    chances = zip(predict(weights, asked), asked, strict=True)
    return -statistics.fmean(math.log(chance if trial.review.recalled else 1 - chance) for chance, trial in chances)


def peer(learned: Sequence[History]) -> tuple[float, ...]:
    """The weights that py-fsrs fits to the same reviews."""
    import fsrs

    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    logs = [
        fsrs.ReviewLog(number, fsrs.Rating(int(review.rating)), start + timedelta(days=review.day), None)
        for number, history in enumerate(learned)
        for review in history.reviews
    ]
    return tuple(optimizer()(logs).compute_optimal_parameters())


def optimizer() -> Any:
    """py-fsrs's optimizer. It imports pandas for its costs and tqdm for a bar, which are not needed here."""
    missing = [name for name in ("pandas", "tqdm") if name not in sys.modules]
    for name in missing:
        sys.modules[name] = ModuleType(name)
    sys.modules["tqdm"].tqdm = lambda steps, **_: steps  # type: ignore[attr-defined]
    try:
        from fsrs.optimizer import Optimizer
    finally:
        for name in missing:
            del sys.modules[name]
    return Optimizer


if __name__ == "__main__":
    main()
