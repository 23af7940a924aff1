"""The process in which a session's demos run: `python -m quizcli.lab.worker SECONDS`.

It reads one JSON request a line and answers with one JSON object a line: evidence as it is computed, then
`{"done": true}` or `{"error": …}`. A demo can also be loaded ahead of its run, and a plot drawn. It ends with its
input, in the middle of a demo too, so it does not outlive a session, however that ends, and when nothing was asked of
it for so many seconds. The keyboard's Ctrl-C is not for it: the session decides what to stop.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from quizcli.errors import QuizError
from quizcli.lab import runner
from quizcli.lab.catalog import Catalog
from quizcli.lab.chart import Paper, draw
from quizcli.lab.evidence import Evidence, Measure, Plot
from quizcli.lab.wire import NOT_NEEDED, dumps, from_data, to_data


def main() -> None:
    """Serve requests until the input ends, or until there was none for long."""
    idle = float(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner.one_thread_environment()
    # What a demo prints must not mix with the answers: they go out on a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        try:
            request = json.loads(requests.get(timeout=idle))
        except queue.Empty:
            os._exit(NOT_NEEDED)
        try:
            if "load" in request:
                _load(request)
            elif "draw" in request:
                plot = from_data(request["draw"])
                assert isinstance(plot, Plot)
                answers.write(dumps({"drawing": draw(plot, Paper(**request["paper"]))}) + "\n")
            else:
                _serve(request, answers)
            answers.write(dumps({"done": True}) + "\n")
        except QuizError as error:
            cause = error.__cause__
            trace = "".join(traceback.format_exception(cause)) if cause is not None else ""
            answers.write(dumps({"error": str(error), "traceback": trace}) + "\n")
        except (BrokenPipeError, KeyboardInterrupt):
            return


def _listen(requests: queue.Queue[str]) -> None:
    """Pass requests on; when there can be no more, nobody waits for an answer either."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _load(request: dict[str, Any]) -> None:
    """Import a demo and what it imports; a demo that cannot be imported says so when it is run."""
    # Importing makes many objects and hardly any garbage: collecting it would only take time, now and in every run.
    gc.disable()
    try:
        with suppress(QuizError):
            runner.load(Catalog(Path(request["folder"])).find(request["load"]))
    finally:
        gc.freeze()
        gc.enable()


def _serve(request: dict[str, Any], answers: TextIO) -> None:
    """Run one demo. `until` names measures and plots: nothing else is sent, and the run stops when all are there."""
    demo = Catalog(Path(request["folder"])).find(request["demo"])
    until = frozenset(request["until"])
    paper = Paper(**request["paper"]) if request["paper"] else None
    left = set(until)
    evidence = runner.run(demo, request["settings"])
    for item in evidence:
        if not until or _name(item) in until:
            answer: dict[str, Any] = {"evidence": to_data(item)}
            if isinstance(item, Plot) and paper is not None:
                answer["drawing"] = draw(item, paper)
            answers.write(dumps(answer) + "\n")
        left.discard(_name(item))
        if until and not left:
            evidence.close()
            break


def _name(item: Evidence) -> str:
    """What a piece of evidence is asked for by; empty for what is not asked for."""
    return item.name if isinstance(item, Measure | Plot) else ""


if __name__ == "__main__":
    main()
