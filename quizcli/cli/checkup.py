"""What `dlquiz doctor` does: it looks, says what it sees, and collects it for `--json`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quizcli.config import config_changes
from quizcli.errors import UsageError
from quizcli.places import bank_folder, cache_folder, config_file, demo_folder
from quizcli.progress.events import system_clock
from quizcli.progress.log import Log, LogError
from quizcli.progress.safety import backups, count_events, restore
from quizcli.scheduling import day_as_date, study_day


class Checkup:
    """One look at the data: every line goes to `say` if there is one, every figure to `found`."""

    def __init__(self, path: Path, say: Callable[[str], None] | None) -> None:
        self.path = path
        self._say = say
        self.copies = backups(path)
        places = {
            "progress": path,
            "cache": cache_folder(),
            "bank": bank_folder(),
            "demos": demo_folder(),
            "settings": config_file(),
        }
        self.found: dict[str, Any] = {
            "places": {name: str(place) for name, place in places.items()},
            "backups": [{"date": copy.date, "events": copy.events} for copy in self.copies],
        }
        for name, place in places.items():
            self.say(f"{name:9} {place}")
        changed = config_changes()
        self.found["changed_settings"] = changed
        for line in changed:
            self.say(f"          {line}")
        for copy in self.copies:
            self.say(f"backup    {copy.date}: {'damaged' if copy.events is None else f'{copy.events} events'}")

    def say(self, line: str) -> None:
        if self._say is not None:
            self._say(line)

    def restore(self, date: str) -> None:
        """Put the backup of that date in place; what is there is set aside."""
        chosen = next((copy for copy in self.copies if copy.date == date), None)
        if chosen is None:
            dates = ", ".join(copy.date for copy in self.copies) or "none"
            raise UsageError(f"--restore {date}: no backup of that date; there are {dates}")
        now = system_clock()
        moved = restore(chosen, self.path, day_as_date(study_day(now.at, now.offset)))
        self.found |= {"restored": chosen.date, "set_aside": [str(file) for file in moved]}
        self.say(f"Restored the backup of {chosen.date} with {chosen.events} events.")
        for file in moved:
            self.say(f"What was there is kept: {file}")

    def check(self, rebuild: bool) -> None:
        """Whether the file is sound, and the card states what the events say. Raises LogError where not."""
        if not self.path.exists():
            self.say("No progress yet: dlquiz study or dlquiz practice begins it.")
            return
        held = count_events(self.path)
        self.found |= {"sound": held is not None, "events": held}
        if held is None:
            good = next((copy for copy in self.copies if copy.events is not None), None)
            way = (
                "there is no good backup"
                if good is None
                else f"dlquiz doctor --restore {good.date} brings back {good.events} events"
            )
            raise LogError(f"{self.path}: the file is damaged; {way}; the damaged file is kept whole")
        log = Log(self.path, system_clock)
        start = time.perf_counter()
        live = {state.card: state.row() for state in log.states()}
        fresh = {state.card: state.row() for state in log.replayed()}
        seconds = time.perf_counter() - start
        differing = sum(live.get(card) != fresh.get(card) for card in live.keys() | fresh.keys())
        self.found |= {"cards": len(fresh), "replay_seconds": round(seconds, 3), "differing": differing}
        self.say(f"sound: {held} events, {len(fresh)} cards, replayed in {seconds:.2f} s")
        if rebuild:
            log.rebuild()
            self.say(f"card states made anew; {differing} were not as the events say")
        elif differing:
            raise LogError(
                f"{differing} card states are not what the events say: dlquiz doctor --rebuild makes them anew"
            )
        else:
            self.say("card states are what the events say")
