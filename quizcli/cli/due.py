"""`dlquiz due`: for a shell prompt, which waits for it each time. Hence no command line framework here."""

from __future__ import annotations


def show(as_json: bool) -> int:
    """How much is due today, in one line."""
    from quizcli.cli.sitting import open_library, open_progress
    from quizcli.studying import counts

    library = open_library()
    found = counts(open_progress(library), library)
    if as_json:
        import json

        print(json.dumps({"due": found.due, "again": found.again, "new": found.new}))
    else:
        again = f", {found.again} again" if found.again else ""
        print(f"{found.due} due{again}, {found.new} new")
    return 0
