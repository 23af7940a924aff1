"""A session's demos run in a process of their own: what goes wrong there costs the quiz nothing, and nothing stays."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quizcli.errors import QuizError, UsageError
from quizcli.lab import laboratory
from quizcli.lab.catalog import Catalog
from quizcli.lab.chart import Paper
from quizcli.lab.evidence import Claim, Measure, Plot, Text
from quizcli.lab.laboratory import Laboratory

from .conftest import Open, Run, Start
from .program import CTRL_C, ENTER, PATIENCE, TROUBLE, Piped, Terminal, environment, with_demos

if os.name != "posix":
    pytest.skip("named pipes and signals as POSIX has them", allow_module_level=True)

HANG = "while True:\n    time.sleep(0.05)"
HELD = 'global held\nheld = open(r"{path}", "w")\nprint(os.getpid(), file=held, flush=True)\n'
"""The demo's process opens a named pipe and keeps it open: its other end closes when the process ends."""


class Life:
    """Tells when a demo's process has begun and when it has ended, without asking again and again."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.lines = HELD.format(path=path)
        self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._process: int | None = None

    def wait_until_begun(self) -> None:
        assert select.select([self._pipe], [], [], PATIENCE)[0], "no demo has begun"
        self._process = int(os.read(self._pipe, 100))

    def wait_until_ended(self) -> None:
        assert select.select([self._pipe], [], [], PATIENCE)[0], "the demo's process lives on"
        assert os.read(self._pipe, 100) == b""
        self._process = None

    def close(self) -> None:
        os.close(self._pipe)
        if self._process is not None:
            os.kill(self._process, signal.SIGKILL)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with closing(Life(tmp_path / "life")) as life:
        yield life


@pytest.fixture
def lab(mishap: Callable[[str], Path]) -> Iterator[Callable[[str], Laboratory]]:
    """Opens a laboratory with the demo `mishap`, in which these lines run."""
    opened: list[Laboratory] = []

    def open_lab(lines: str) -> Laboratory:
        opened.append(Laboratory(Catalog(mishap(lines))))
        return opened[-1]

    yield open_lab
    for each in opened:
        each.close()


def value(lab: Laboratory, given: float) -> float:
    return lab.measures("mishap", {"value": given}, ["value"])["value"]


# --- The laboratory itself --------------------------------------------------------------------------


def test_measures_asked_for_ahead_belong_to_their_settings(lab: Callable[[str], Laboratory]) -> None:
    worker = lab("value *= 2")
    for given in (1.0, 2.0, 3.0):
        worker.prepare("mishap", {"value": given}, ["value"])
    assert [value(worker, given) for given in (3.0, 1.0, 4.0, 2.0)] == [6.0, 2.0, 8.0, 4.0]


def test_measure_is_had_before_the_demo_has_ended(lab: Callable[[str], Laboratory]) -> None:
    worker = lab(f'yield Measure("value", value)\n{HANG}')
    assert value(worker, 1.0) == 1.0
    assert value(worker, 2.0) == 2.0


def test_run_hands_out_all_evidence_in_its_order(lab: Callable[[str], Laboratory]) -> None:
    shown = list(lab("").run("mishap", {"value": 3.0}, Paper(60)))
    assert [type(each.item) for each in shown] == [Text, Plot, Measure, Claim]
    assert "│" in shown[1].drawing
    assert shown[2].item == Measure("value", 3.0)
    assert shown[3].item == Claim("small", measured=3.0, at_most=1.0)


def test_what_a_demo_prints_does_not_mix_with_its_evidence(lab: Callable[[str], Laboratory]) -> None:
    noise = 'print("noise")\nprint(\'{"done": true}\', flush=True)\nos.write(1, b"more\\n")\nos.system("echo noise")\n'
    noise += 'sys.__stdout__.write("noise\\n")\nsys.stderr.write("noise\\n" * 50000)'
    worker = lab(noise)
    assert value(worker, 2.0) == 2.0
    assert [type(each.item) for each in worker.run("mishap", {}, Paper())] == [Text, Plot, Measure, Claim]
    assert value(worker, 3.0) == 3.0


@pytest.mark.parametrize(
    "mishap_lines",
    [
        "raise ValueError('no luck')",
        "os._exit(0)",
        "sys.exit(0)",
        "raise KeyboardInterrupt",
        "os.kill(os.getpid(), 9)",
        "os.close(0)\nos._exit(1)",
        "yield Measure('value', float('nan'))",
        "def deeper() -> None:\n    deeper()\ndeeper()",
    ],
)
def test_demo_that_fails_or_dies_is_an_error_and_the_next_one_runs(
    lab: Callable[[str], Laboratory], mishap_lines: str
) -> None:
    inner = "\n".join(f"    {line}" for line in mishap_lines.splitlines())
    worker = lab(f"if value > 4:\n{inner}")
    for _ in range(2):
        with pytest.raises(QuizError):
            value(worker, 5.0)
        with pytest.raises(QuizError):
            list(worker.run("mishap", {"value": 6.0}, Paper()))
        assert value(worker, 2.0) == 2.0


def test_demo_that_died_takes_no_other_prepared_value_with_it(lab: Callable[[str], Laboratory]) -> None:
    worker = lab("if value > 4:\n    os._exit(1)")
    for given in (1.0, 5.0, 2.0):
        worker.prepare("mishap", {"value": given}, ["value"])
    assert value(worker, 2.0) == 2.0
    assert value(worker, 1.0) == 1.0
    with pytest.raises(QuizError):
        value(worker, 5.0)


def test_what_is_no_evidence_is_an_error(lab: Callable[[str], Laboratory]) -> None:
    worker = lab("if value > 4:\n    yield 42")
    with pytest.raises(QuizError):
        list(worker.run("mishap", {"value": 5.0}, Paper()))
    assert value(worker, 2.0) == 2.0


def test_settings_out_of_range_and_unknown_demos_are_said(lab: Callable[[str], Laboratory]) -> None:
    worker = lab("")
    with pytest.raises(QuizError, match=r"--value 11\.0: must be a number from 0 to 10"):
        value(worker, 11.0)
    with pytest.raises(UsageError, match=r"no demo 'mishape' \(did you mean 'mishap'"):
        worker.measures("mishape", {}, ["value"])
    with pytest.raises(QuizError, match="without nothing"):
        worker.measures("mishap", {}, ["nothing"])
    assert value(worker, 2.0) == 2.0


def test_demo_that_says_nothing_for_long_is_stopped(
    lab: Callable[[str], Laboratory], life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = lab(f"if value > 4:\n    {life.lines.replace(chr(10), chr(10) + '    ')}\n    while True: pass")
    assert value(worker, 2.0) == 2.0  # what an import takes is not what is tested
    monkeypatch.setattr(laboratory, "PATIENCE", 0.5)
    with pytest.raises(QuizError, match="said nothing"):
        value(worker, 5.0)
    life.wait_until_begun()
    life.wait_until_ended()
    monkeypatch.undo()
    assert value(worker, 3.0) == 3.0


def test_run_that_is_left_early_stops_its_process(lab: Callable[[str], Laboratory], life: Life) -> None:
    worker = lab(f'{life.lines}yield Text("on")\n{HANG}')
    evidence = worker.run("mishap", {}, Paper())
    assert next(evidence).item == Text("The mishap has begun.")
    assert next(evidence).item == Text("on")
    evidence.close()  # type: ignore[attr-defined]
    life.wait_until_begun()
    life.wait_until_ended()


def test_demo_is_imported_ahead_without_being_run(mishap: Callable[[str], Path], tmp_path: Path) -> None:
    folder = mishap(f'open(r"{tmp_path / "run"}", "w").close()')
    path = folder / "mishap.py"
    os.mkfifo(tmp_path / "imported")
    path.write_text(path.read_text() + f'\nopen(r"{tmp_path / "imported"}", "w").close()\n')
    with closing(Laboratory(Catalog(folder))) as worker:
        worker.load("mishap")
        with (tmp_path / "imported").open() as imported:
            assert imported.read() == ""
        worker.load("mishap")
        worker.load("mishape")
        assert not (tmp_path / "run").exists()
        assert value(worker, 2.0) == 2.0
        assert (tmp_path / "run").exists()


@pytest.mark.parametrize("uncollected", [False, True])
def test_process_that_nobody_needs_ends_and_the_next_demo_starts_another(
    mishap: Callable[[str], Path], life: Life, uncollected: bool
) -> None:
    with closing(
        Laboratory(Catalog(mishap(f"if value == 1:\n    {life.lines.replace(chr(10), chr(10) + '    ')}")), 0.2)
    ) as worker:
        worker.prepare("mishap", {"value": 1.0}, ["value"])
        life.wait_until_begun()
        if not uncollected:
            assert value(worker, 1.0) == 1.0
        life.wait_until_ended()
        assert value(worker, 2.0) == 2.0
        assert value(worker, 1.0) == 1.0


PLOTS = """
yield Plot("first", {"a": ([1, 2], [1.0, value])})
yield Plot("second", {"a": ([1, 2], [value, 3.0])})
"""


def test_plot_is_had_as_a_run_draws_it_and_nothing_after_it_is_computed(lab: Callable[[str], Laboratory]) -> None:
    paper = Paper(60)
    of_a_run = [shown for shown in lab(PLOTS).run("mishap", {"value": 2.0}, paper) if isinstance(shown.item, Plot)]
    worker = lab(PLOTS + "raise ValueError")
    worker.prepare("mishap", {"value": 2.0}, ["second"], paper)
    assert worker.plot("mishap", {"value": 2.0}, "second", paper) == of_a_run[1]
    assert worker.plot("mishap", {"value": 2.0}, "first", paper) == of_a_run[0]
    assert len(worker.plot("mishap", {}, "first", Paper(60, height=6)).drawing.splitlines()) < len(
        of_a_run[0].drawing.splitlines()
    )
    with pytest.raises(QuizError):
        worker.plot("mishap", {}, "third", paper)


def test_run_that_the_learner_stops_ends_its_process(lab: Callable[[str], Laboratory], life: Life) -> None:
    worker = lab(
        f'{life.lines}yield Text("on")\nif value < 5:\n{"".join(f"    {line}" + chr(10) for line in HANG.splitlines())}'
    )
    pressed = False
    evidence = worker.run("mishap", {}, Paper(), lambda: pressed)
    assert next(evidence).item == Text("The mishap has begun.")
    assert next(evidence).item == Text("on")
    life.wait_until_begun()
    pressed = True
    with pytest.raises(laboratory.StoppedError):
        next(evidence)
    life.wait_until_ended()


def test_closed_laboratory_leaves_no_process(lab: Callable[[str], Laboratory], life: Life) -> None:
    worker = lab(life.lines + HANG)
    worker.prepare("mishap", {}, ["value"])
    life.wait_until_begun()
    worker.close()
    life.wait_until_ended()


# --- In a session -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", ["os._exit(3)", "value = 1 / 0", "sys.exit()"])
def test_demo_that_dies_withdraws_its_question_unscored(run: Run, mishap: Callable[[str], Path], lines: str) -> None:
    ids = ("trouble/computed", "trouble/foreseen", "trouble/pick")
    done = run("practice", *ids, stdin="2\n2\na\n:d\n\n", bank=TROUBLE, command=with_demos(mishap(lines)))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("This question is withdrawn and not scored: ") == 2
    assert "Withdrawn, not scored: trouble/computed" in done.stdout
    assert "Withdrawn, not scored: trouble/foreseen" in done.stdout
    assert "dlquiz demo mishap --debug shows more" in " ".join(done.stdout.split())
    assert "Right: 1 of 1" in done.stdout
    assert "To repeat" not in done.stdout


@pytest.mark.parametrize("lines", ["os._exit(3)", "value = 1 / 0"])
def test_exhibit_that_cannot_be_drawn_costs_the_session_nothing(
    run: Run, mishap: Callable[[str], Path], lines: str
) -> None:
    ids = ("trouble/drawn", "trouble/pick")
    done = run("practice", *ids, stdin="a\n\na\n\n", bank=TROUBLE, command=with_demos(mishap(lines)))
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "✓ Right  trouble/pick" in done.stdout


def test_demo_of_a_skipped_question_that_died_costs_the_next_one_nothing(
    run: Run, mishap: Callable[[str], Path]
) -> None:
    ids = ("trouble/computed", "trouble/computed-too")
    command = with_demos(mishap("if value < 4:\n    os._exit(3)"))
    done = run("practice", *ids, stdin=":s\n4\n\n", bank=TROUBLE, command=command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Right: 1 of 1" in done.stdout


def test_demo_that_prints_disturbs_no_session(run: Run, mishap: Callable[[str], Path]) -> None:
    command = with_demos(mishap('print("noise", flush=True)\nos.system("echo noise")'))
    ids = ("trouble/drawn", "trouble/computed", "trouble/foreseen")
    done = run("practice", *ids, stdin="a\n\n2\n:u\n3\n\n0.5\n\n", bank=TROUBLE, command=command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "noise" not in done.stdout
    assert done.stdout.count("✓ Right") == 3


def test_ctrl_c_in_an_exhibit_goes_on_to_the_question_or_the_next(
    open_terminal: Open, life: Life, mishap: Callable[[str], Path]
) -> None:
    ids = ("trouble/drawn", "trouble/pick")
    terminal = open_terminal("practice", *ids, bank=TROUBLE, command=with_demos(mishap(life.lines + HANG)))
    terminal.wait_for("1 of 2")
    life.wait_until_begun()
    terminal.wait_until_idle()
    terminal.press(CTRL_C)
    terminal.wait_for_status("Space shows")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    life.wait_until_ended()


def test_session_goes_on_in_a_terminal_after_its_demo_died(open_terminal: Open, mishap: Callable[[str], Path]) -> None:
    terminal = open_terminal("practice", "trouble/pick", bank=TROUBLE, command=with_demos(mishap("os._exit(3)")))
    terminal.wait_for_status("Space shows")
    terminal.press(" a" + ENTER)
    for times in (1, 2):
        terminal.wait_for_status("Enter 3 Good")
        terminal.press("d" + ENTER)
        terminal.wait_for("process ended", times)
    terminal.wait_for_status("Enter 3 Good")
    terminal.press(ENTER)
    terminal.wait_for("Right: 1 of 1")
    assert terminal.wait_for_end() == 0
    assert "Traceback" not in terminal.seen


def test_demo_that_hangs_is_stopped_by_a_key(open_terminal: Open, mishap: Callable[[str], Path], life: Life) -> None:
    """Keys typed meanwhile are kept: the 2 grades."""
    folder = mishap(life.lines + HANG)
    terminal = open_terminal("practice", "trouble/pick", bank=TROUBLE, command=with_demos(folder))
    terminal.wait_for_status("Space shows")
    terminal.press(" a" + ENTER)
    terminal.wait_for_status("Enter 3 Good")
    terminal.press("d" + ENTER)
    life.wait_until_begun()
    terminal.press("2q")
    life.wait_until_ended()
    terminal.wait_for("The demo was stopped.")
    terminal.wait_for("Graded 2")
    assert terminal.wait_for_end() == 0


def test_process_of_a_session_that_only_reads_ends_with_it(
    open_terminal: Open, mishap: Callable[[str], Path], life: Life
) -> None:
    """While a question is read its demo gets ready; nobody runs it."""
    folder = mishap("")
    path = folder / "mishap.py"
    path.write_text(path.read_text() + "\nimport os\n" + life.lines)
    terminal = open_terminal("practice", "trouble/pick", bank=TROUBLE, command=with_demos(folder))
    terminal.wait_for_status("Space shows")
    life.wait_until_begun()
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    life.wait_until_ended()


# --- Its process ends with the session --------------------------------------------------------------


def begin(start: Start, life: Life, folder: Path) -> Piped:
    """A session whose demo has begun."""
    quiz = start("practice", "trouble/computed", "trouble/pick", bank=TROUBLE, command=with_demos(folder))
    quiz.wait_for("A number, exactly.")
    life.wait_until_begun()
    return quiz


def test_process_ends_with_its_session(start: Start, life: Life, mishap: Callable[[str], Path]) -> None:
    quiz = begin(start, life, mishap(life.lines))
    quiz.send(":q")
    assert quiz.wait_for_end() == 0
    life.wait_until_ended()


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_process_ends_when_its_session_is_killed(
    start: Start, life: Life, mishap: Callable[[str], Path], number: signal.Signals, busy: bool
) -> None:
    quiz = begin(start, life, mishap(life.lines + (HANG if busy else "")))
    if not busy:
        quiz.send("2")
        quiz.wait_for("Grade 1 to 4")
    os.kill(quiz.process.pid, number)
    quiz.process.wait(PATIENCE)
    life.wait_until_ended()


def test_closed_terminal_ends_program_and_demo(
    tmp_path: Path, home: Path, life: Life, mishap: Callable[[str], Path]
) -> None:
    command = [*with_demos(mishap(life.lines + HANG)), "practice", "trouble/computed"]
    terminal = Terminal(command, environment(home, TROUBLE), tmp_path)
    terminal.wait_for_status("A number")
    life.wait_until_begun()
    os.close(terminal.keyboard)
    terminal.process.wait(PATIENCE)
    life.wait_until_ended()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_processes_that_prove_end_when_the_check_is_killed(
    start: Start, life: Life, mishap: Callable[[str], Path], number: signal.Signals
) -> None:
    check = start("bank", "check", "--prove", str(TROUBLE), command=with_demos(mishap(life.lines + HANG)))
    life.wait_until_begun()
    os.kill(check.process.pid, number)
    check.process.wait(PATIENCE)
    life.wait_until_ended()
