"""Which questions stand before a learner right now, so that two sessions at once do not ask the same one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LASTS = 60_000
"""Milliseconds for which a question belongs to the session that asked it."""


class Leases:
    """Short claims on questions in a small file beside the cache. Nothing depends on it: where it cannot be used, every
    claim is granted."""

    def __init__(self, path: Path, now: Callable[[], int]) -> None:
        self._now = now
        self._session = os.urandom(8).hex()
        self._db: sqlite3.Connection | None = None
        with suppress(OSError, sqlite3.Error):
            path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            # Lost claims are no loss: nothing waits for the disk.
            db.execute("PRAGMA synchronous = OFF")
            db.execute("PRAGMA journal_mode = MEMORY")
            db.execute("CREATE TABLE IF NOT EXISTS lease (question TEXT PRIMARY KEY, session TEXT, until INTEGER)")
            self._db = db

    def close(self) -> None:
        """Give up what this session holds."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.execute("DELETE FROM lease WHERE session = ?", (self._session,))
            self._db.close()
            self._db = None

    def take(self, question: str) -> bool:
        """Claim a question; False where another session holds it."""
        if self._db is None:
            return True
        now = self._now()
        try:
            changed = self._db.execute(
                "INSERT INTO lease VALUES (?, ?, ?) ON CONFLICT (question) DO UPDATE"
                " SET session = excluded.session, until = excluded.until"
                " WHERE until <= ? OR until > ? OR session = excluded.session",
                # A lease that ends later than any granted now was made before the clock was set back.
                (question, self._session, now + LASTS, now, now + LASTS),
            ).rowcount
        except sqlite3.Error:
            return True
        return changed > 0
