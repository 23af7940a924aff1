"""What `practice` and `study` share: the bank, the progress, and one sitting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from quizcli.vocabulary import KINDS, LEVELS, SKILLS

if TYPE_CHECKING:
    from pathlib import Path

    from quizcli.bank.library import Library, Selection
    from quizcli.keeping import ProgressKeeper
    from quizcli.lab.laboratory import Laboratory
    from quizcli.progress.progress import Progress

T = TypeVar("T")


def open_library() -> Library:
    """The bank."""
    from quizcli.bank.library import Library
    from quizcli.places import bank_folder, cache_folder

    return Library(bank_folder(), cache_folder())


def open_progress(library: Library) -> Progress:
    """The learner's progress, aware of the bank. Raises LogError where it cannot be used."""
    from quizcli.places import data_folder
    from quizcli.progress.events import system_clock
    from quizcli.progress.log import Log
    from quizcli.progress.progress import Progress
    from quizcli.studying import adopt_bank

    progress = Progress(Log(data_folder() / "progress.sqlite", system_clock, _back_up_before_migration))
    adopt_bank(progress, library)
    return progress


def _back_up_before_migration(path: Path) -> None:
    """A copy of the log as an older version wrote it; without it there is no migration."""
    from quizcli.progress.events import system_clock
    from quizcli.progress.safety import back_up
    from quizcli.scheduling import day_as_date, study_day

    now = system_clock()
    back_up(path, f"{day_as_date(study_day(now.at, now.offset))}-before-migration")


def select(
    library: Library, what: Sequence[str] | None, kind: str | None, level: str | None, skill: str | None
) -> Selection:
    """The questions that a command line means."""
    from dataclasses import replace

    return replace(
        library.select(what or []),
        kind=_one_of("kind", kind, KINDS),
        level=_one_of("level", level, LEVELS),
        skill=_one_of("skill", skill, SKILLS),
    )


def sit(
    library: Library,
    ids: Sequence[str],
    seed: str,
    keeper: ProgressKeeper | None,
    open_keeper: Callable[[], ProgressKeeper | None] | None = None,
    *,
    confidence: bool = False,
) -> int:
    """Ask these questions, by keys on a terminal and by lines elsewhere; returns the exit code.

    What keeps the answers is either there, or opened by `open_keeper` when the first question stands.
    """
    import sys
    import time

    from quizcli.session import Session
    from quizcli.view.examiner import Examiner
    from quizcli.view.terminal import is_plain, make_console

    session = Session(ids, library.question, seed, time.monotonic, keeper)
    examiner = Examiner(make_console(), session, library, _open_laboratory, keeper, confidence)

    def open_progress_now() -> None:
        nonlocal keeper
        assert open_keeper is not None
        keeper = open_keeper()
        session.keeper = examiner.diary = keeper

    if open_keeper is not None:
        examiner.open_progress = open_progress_now
    try:
        if sys.stdin.isatty() and examiner.console.is_terminal and not is_plain(examiner.console):
            from quizcli.view.interactive import KeyQuiz

            return 0 if KeyQuiz(examiner).run() else 130
        from quizcli.view.lines import LineQuiz

        return 0 if LineQuiz(examiner, sys.stdin).run() else 130
    finally:
        examiner.close()
        if keeper is not None:
            _back_up(keeper.progress)


def _back_up(progress: Progress) -> None:
    """The day's backup, made when a sitting is over, so that nobody waits for it."""
    import sys

    from quizcli.progress.log import LogError
    from quizcli.progress.safety import back_up
    from quizcli.scheduling import day_as_date

    try:
        back_up(progress.log.path, day_as_date(progress.today()))
    except LogError as error:
        print(error, file=sys.stderr)


def _open_laboratory() -> Laboratory:
    from quizcli.lab.catalog import Catalog
    from quizcli.lab.laboratory import Laboratory
    from quizcli.places import demo_folder

    return Laboratory(Catalog(demo_folder()))


def _one_of(name: str, given: str | None, known: tuple[T, ...]) -> T | None:
    """A filter's value as a person types it; a UsageError names what there is."""
    if given is None:
        return None
    from quizcli.errors import UsageError, suggest

    plain = given.strip().lower().replace("_", "-")
    for value in known:
        if str(value) == plain:
            return value
    words = [str(value) for value in known]
    raise UsageError(f"--{name} {given}: no such {name}{suggest(plain, words)}; there are {', '.join(words)}")
