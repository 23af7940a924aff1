"""`dlquiz demo`, and a demo run as a script of its own."""

from __future__ import annotations

import html
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

import pytest

from quizcli.places import demo_folder

from .conftest import Open, Run
from .program import ENTER, TROUBLE, with_demos

SOFTMAX = demo_folder() / "softmax.py"
CLAIMS = {"sums-to-one", "shift-invariant", "naive-overflows", "stable-survives", "two-class-is-sigmoid", "others-fall"}
MEASURES = {"total", "nan-share", "entropy", "two-class", "two-class-flipped"}

posix = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal needs POSIX")


def strict(text: str) -> Any:
    """What a text of JSON holds; NaN and the infinities are no JSON."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def assert_fine(done: subprocess.CompletedProcess[str]) -> str:
    """It left with 0 and without a word on standard error; what it printed."""
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "\x1b" not in done.stdout
    return done.stdout


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    assert done.returncode == code, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert [text for text in texts if text not in done.stderr] == [], done.stderr


# --- Lists and help ---------------------------------------------------------------------------------


def test_every_demo_is_listed_with_its_title(run: Run) -> None:
    shown = assert_fine(run("demo"))
    names = {line.split()[0] for line in shown.splitlines() if line and not line.startswith(" ")} - {"dlquiz"}
    assert names == {path.stem.replace("_", "-") for path in demo_folder().glob("[!_]*.py")}
    assert "softmax" in names
    assert "Softmax turns logits into shares of one" in shown
    listed = strict(assert_fine(run("demo", "--json")))
    assert {demo["name"].replace("_", "-") for demo in listed} == names


def test_help_needs_no_name_and_tells_of_every_demo(run: Run) -> None:
    shown = assert_fine(run("demo", "--help"))
    assert "dlquiz demo lstm --hidden 32" in shown
    assert all(option in shown for option in ("--json", "--source", "--debug"))


def test_help_of_a_demo_lists_its_parameters_with_range_and_default(run: Run) -> None:
    shown = " ".join(assert_fine(run("demo", "softmax", "--help")).split())
    assert "number of classes C; a whole number from 2 to 50; default 5" in shown
    assert "one of none, sigmoid, no-exp, no-max; default none" in shown
    assert all(f"--{name}" in shown for name in ("classes", "offset", "gap", "hot", "cold", "mistake", "seed"))
    assert "✓" not in shown


def test_names_are_forgiving(run: Run) -> None:
    one, two = (assert_fine(run("demo", name, "--help")) for name in ("zero-init", "ZERO_init"))
    assert "--hidden" in one
    assert one == two


def test_source_is_the_file_itself(run: Run) -> None:
    assert assert_fine(run("demo", "softmax", "--source")) == SOFTMAX.read_text(encoding="utf-8")


# --- Runs -------------------------------------------------------------------------------------------


def test_run_shows_evidence_claims_and_what_was_measured(run: Run) -> None:
    shown = assert_fine(run("demo", "softmax"))
    assert "Softmax turns logits into shares of one" in shown
    assert "✓ holds softmax outputs sum to 1, whatever the logits (measured" in " ".join(shown.split())
    assert "✗ fails" not in shown
    assert f"two-class = {1 / (1 + math.exp(-2)):.6g}" in shown
    assert shown.rstrip().endswith("◆ measured 1")
    assert "Your prediction?" not in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_json_is_strict_and_holds_all_evidence_once(run: Run) -> None:
    data = strict(assert_fine(run("demo", "softmax", "--json", "--seed", "3")))
    assert data["demo"] == "softmax"
    assert data["settings"]["classes"] == 5
    assert data["settings"]["seed"] == 3
    claims = [item for item in data["evidence"] if item["type"] == "claim"]
    measures = {item["name"]: item["value"] for item in data["evidence"] if item["type"] == "measure"}
    assert len({claim["name"] for claim in claims}) == len(claims)
    assert {claim["name"] for claim in claims} >= CLAIMS
    assert all(claim["holds"] for claim in claims)
    assert set(measures) >= MEASURES
    assert measures["two-class"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert measures["total"] == pytest.approx(1.0)
    tables = [item for item in data["evidence"] if item["type"] == "table"]
    assert any("nan" in json.dumps(cell) for table in tables for row in table["rows"] for cell in row)
    assert {item["type"] for item in data["evidence"]} >= {"table", "plot", "text", "measure", "claim"}


def test_same_seed_gives_the_same_evidence_and_another_another(run: Run) -> None:
    one, two, other = (assert_fine(run("demo", "softmax", "--json", "--seed", seed)) for seed in "112")
    assert one == two
    assert one != other


def test_options_are_read_in_every_form(run: Run) -> None:
    forms = [
        ("softmax", "--classes", "3", "--gap", "-1.5", "--hot", "1e2", "--mistake", "NO_EXP", "--json"),
        ("--json", "softmax", "--mistake=no-exp", "--hot=100", "--gap=-1.5", "--classes=3"),
    ]
    data = [strict(assert_fine(run("demo", *form))) for form in forms]
    wanted = {"classes": 3, "gap": -1.5, "hot": 100.0, "mistake": "no-exp"}
    for each in data:
        assert {name: each["settings"][name] for name in wanted} == wanted
    assert data[0] == data[1]


def test_claim_that_fails_under_changed_parameters_is_a_finding(run: Run) -> None:
    data = strict(assert_fine(run("demo", "softmax", "--mistake", "sigmoid", "--json")))
    failed = {item["name"] for item in data["evidence"] if item["type"] == "claim" and not item["holds"]}
    assert "sums-to-one" in failed
    shown = assert_fine(run("demo", "softmax", "--mistake", "sigmoid"))
    assert "with mistake = sigmoid" in shown
    assert "✗ fails" in shown


# --- What goes wrong --------------------------------------------------------------------------------


def test_claim_that_fails_at_its_defaults_is_exit_code_1(run: Run, mishap: Callable[[str], Path]) -> None:
    command = with_demos(mishap("value *= 4"))
    for options in ((), ("--json", "--seed", "7", "--value", "0.5")):
        done = run("demo", "mishap", *options, command=command)
        assert (done.returncode, done.stderr) == (1, ""), options
        assert "✗ fails" in done.stdout or '"holds": false' in done.stdout
    assert run("demo", "mishap", "--value", "0.6", command=command).returncode == 0


def test_demo_that_raises_is_one_line_that_tells_where(run: Run, mishap: Callable[[str], Path]) -> None:
    folder = mishap('total = 1\nraise ValueError("no [b] luck\\nat all")')
    for options in ((), ("--json",)):
        done = run("demo", "mishap", *options, command=with_demos(folder))
        assert_one_line(done, 1, "demo mishap failed", "of mishap.py", "ValueError: no [b] luck", "--debug")
        assert "Traceback" not in done.stdout + done.stderr
        lines = (folder / "mishap.py").read_text(encoding="utf-8").splitlines()
        assert f"(line {next(number for number, line in enumerate(lines, 1) if 'raise' in line)} of" in done.stderr


def test_debug_shows_the_traceback_of_a_demo(run: Run, mishap: Callable[[str], Path]) -> None:
    done = run("demo", "mishap", "--debug", command=with_demos(mishap("value = 1 / 0")))
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "value = 1 / 0" in done.stderr
    assert "ZeroDivisionError" in done.stderr.splitlines()[-2]
    assert "demo mishap failed" in done.stderr.splitlines()[-1]


def test_measure_that_is_not_finite_is_one_line(run: Run, mishap: Callable[[str], Path]) -> None:
    done = run("demo", "mishap", command=with_demos(mishap('value = float("nan")')))
    assert_one_line(done, 1, "demo mishap failed", "nan")


def test_demo_that_leaves_python_is_one_line_and_exit_code_1(run: Run, mishap: Callable[[str], Path]) -> None:
    done = run("demo", "mishap", command=with_demos(mishap("sys.exit(0)")))
    assert_one_line(done, 1, "mishap")


def test_evidence_that_is_not_finite_is_shown_and_is_strict_json(run: Run, mishap: Callable[[str], Path]) -> None:
    lines = 'nan, inf = float("nan"), float("inf")\n'
    lines += 'yield Table("t", ["a", "b"], [["x", nan], ["y", -inf]])\n'
    lines += 'yield Plot("p", {"s": ([0, 1, 2], [nan, 1, inf])})\nyield Plot("q", {"s": ([0], [nan])})'
    command = with_demos(mishap(lines))
    assert "nothing finite to draw" in assert_fine(run("demo", "mishap", command=command))
    data = strict(assert_fine(run("demo", "mishap", "--json", command=command)))
    rows = [[json.dumps(cell) for cell in row] for row in data["evidence"][1]["rows"]]
    assert "nan" in rows[0][1]
    assert "-inf" in rows[1][1]


def test_text_of_a_demo_is_literal_and_inert(run: Run, mishap: Callable[[str], Path]) -> None:
    lines = 'yield Text("[b] <sos> 2*3*4 \\x1b[31m")\nyield Table("[/b]\\x1b", ["[batch, seq]\\a"], [["[red]\\x9b"]])'
    shown = assert_fine(run("demo", "mishap", command=with_demos(mishap(lines))))
    assert all(text in shown for text in ("[b] <sos> 2*3*4 ␛[31m", "[/b]␛", "[batch, seq]␇", "[red]\\u009b"))
    own = ("which [something] goes wrong", "large is the [value]?", "the [value] is small", "what [was] given")
    assert all(text in shown for text in own)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("def run(:\n", ("mishap.py:1: ",)),
        ('"""Title."""\nclaims = {}\n', ("mishap.py:1: `def run(*, ...)` is missing",)),
        ('"""Title."""\ndef run(value: int = 1): ...\n', ("mishap.py:2: ", "keyword parameters")),
        ("", ("mishap.py:1: ", "docstring")),
    ],
)
def test_demo_that_breaks_the_contract_is_one_line_with_file_and_line(
    run: Run, mishap: Callable[[str], Path], source: str, texts: tuple[str, ...]
) -> None:
    folder = mishap("")
    (folder / "mishap.py").write_text(source, encoding="utf-8")
    assert_one_line(run("demo", "mishap", command=with_demos(folder)), 1, *texts)


# --- Without torch ----------------------------------------------------------------------------------


@pytest.fixture
def no_torch(tmp_path: Path) -> dict[str, str]:
    """An environment in which `import torch` fails as it does where torch is not installed."""
    package = tmp_path / "no_torch" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    rest = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(package.parent), *([rest] if rest else [])])}


def test_demo_that_needs_torch_says_what_to_install(run: Run, no_torch: dict[str, str]) -> None:
    for options in ((), ("--debug",)):
        done = run("demo", "lstm", *options, changes=no_torch)
        assert done.returncode == 1
        assert "demo lstm needs torch, which is not installed here: pip install" in done.stderr.splitlines()[-1]
        assert len(done.stderr.splitlines()) == 1 or options == ("--debug",)


def test_everything_else_works_without_torch(run: Run, no_torch: dict[str, str]) -> None:
    assert "✗" not in assert_fine(run("demo", "softmax", changes=no_torch))
    assert "lstm" in assert_fine(run("demo", changes=no_torch))
    assert "--hidden" in assert_fine(run("demo", "lstm", "--help", changes=no_torch))
    shown = assert_fine(run("practice", "shares/two-classes", "shares/bug", stdin="7\n\n2\n:d\n\n", changes=no_torch))
    assert "Right: 1 of 2" in shown


def test_question_that_needs_torch_is_withdrawn_without_it(
    run: Run, no_torch: dict[str, str], mishap: Callable[[str], Path]
) -> None:
    ids = ("trouble/computed", "trouble/foreseen", "trouble/pick")
    done = run(
        *("practice", *ids),
        stdin="2\n2\na\n:d\n\n",
        bank=TROUBLE,
        changes=no_torch,
        command=with_demos(mishap("import torch")),
    )
    shown = " ".join(assert_fine(done).split())
    assert shown.count("This question is withdrawn and not scored: demo mishap needs torch") == 2
    assert "Right: 1 of 1" in shown
    assert "pip install" in shown


def test_torch_that_cannot_be_loaded_is_one_line(run: Run, no_torch: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "no_torch" / "torch" / "__init__.py").write_text("raise OSError('libtorch_cpu.so: wrong ELF class')\n")
    assert_one_line(run("demo", "lstm", changes=no_torch), 1, "demo lstm", "libtorch_cpu.so")


# --- Scripts ----------------------------------------------------------------------------------------


def test_script_prints_what_the_command_prints(run: Run) -> None:
    script = (sys.executable, str(SOFTMAX))
    options = ("--classes", "3")
    assert assert_fine(run(*options, command=script)) == assert_fine(run("demo", "softmax", *options))
    assert strict(assert_fine(run(*options, "--json", command=script)))["settings"]["classes"] == 3


def test_script_reads_its_options_as_the_command_does(run: Run) -> None:
    script = (sys.executable, str(SOFTMAX))
    assert "a whole number from 2 to 50" in " ".join(assert_fine(run("--help", command=script)).split())
    assert_one_line(run("--classes", "1", command=script), 2, "--classes 1: must be a whole number from 2 to 50")
    assert_one_line(run("--clases", "3", command=script), 2, "no option '--clases'", "did you mean '--classes'?")


def test_script_that_fails_is_one_line(run: Run, mishap: Callable[[str], Path]) -> None:
    folder = mishap("value = 1 / 0")
    script = (sys.executable, str(folder / "mishap.py"))
    assert_one_line(run(command=script), 1, "demo mishap failed", "ZeroDivisionError", "--debug")
    done = run("--debug", command=script)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    mishap("value = 5.0")
    assert run(command=script).returncode == 1


# --- On a terminal ----------------------------------------------------------------------------------


@posix
def test_progress_is_written_over_and_leaves_nothing_behind(open_terminal: Open, mishap: Callable[[str], Path]) -> None:
    for last in (3, 2):
        lines = f"for done in range({last} + 1):\n    yield Progress(done, 3)"
        terminal = open_terminal("demo", "mishap", command=with_demos(mishap(lines)))
        terminal.wait_for("Your prediction?")
        terminal.press(ENTER)
        terminal.wait_for("Enter leaves")
        terminal.press(ENTER)
        assert terminal.wait_for_end() == 0
        assert "◆ measured 0.5" in terminal.seen
        assert "%" not in terminal.seen, f"{last} of 3"
        assert "━" not in terminal.seen


@posix
def test_demo_that_raises_on_a_terminal_is_one_line(open_terminal: Open, mishap: Callable[[str], Path]) -> None:
    terminal = open_terminal("demo", "mishap", command=with_demos(mishap("yield Progress(1, 3)\nvalue = 1 / 0")))
    terminal.wait_for("Your prediction?")
    terminal.press(ENTER)
    assert terminal.wait_for_end() == 1
    last = " ".join(terminal.seen[terminal.seen.index("The mishap has begun.") :].split())
    assert "demo mishap failed (line " in last
    assert "Traceback" not in last
    assert "%" not in last


@posix
def test_demo_is_experimented_with_key_by_key(open_terminal: Open) -> None:
    terminal = open_terminal("demo", "softmax")
    terminal.wait_for("Your prediction?")
    terminal.press(ENTER)
    terminal.wait_for("Enter leaves")
    terminal.press("r")
    terminal.wait_for("change (NAME=VALUE, ...)>")
    assert "classes=5" in terminal.seen and "a whole number from 2 to 50" in terminal.seen
    terminal.press("clases=3" + ENTER)
    terminal.wait_for("no parameter 'clases' (did you mean 'classes'?)")
    terminal.press("r")
    terminal.wait_for("change (NAME=VALUE, ...)>", 2)
    terminal.press("classes=3" + ENTER)
    terminal.wait_for("with classes=3")
    terminal.wait_for("Enter leaves", 3)
    terminal.press("c")
    terminal.wait_for("compare with (NAME=VALUE, ...)>")
    assert "classes=3" in terminal.shown
    terminal.press("offset=0" + ENTER)
    terminal.wait_for("side by side")
    terminal.wait_for("Enter leaves", 4)
    terminal.press("w")
    terminal.wait_for("sweep (NAME=VALUE,VALUE,...)>")
    terminal.press("gap=0,1,2" + ENTER)
    terminal.wait_for("sweep over gap")
    terminal.wait_for("Enter leaves", 5)
    terminal.press("f")
    terminal.wait_for("Which? (a letter; Enter for none)")
    terminal.press("a")
    terminal.wait_for("✗ fails")
    terminal.wait_for("Enter leaves", 6)
    terminal.press("s")
    terminal.wait_for("def softmax(")
    terminal.wait_for("Enter leaves", 7)
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.too_wide == [] and "Traceback" not in terminal.seen


# --- Experiments by options -------------------------------------------------------------------------


def test_compare_shows_two_settings_side_by_side(run: Run) -> None:
    shown = run("demo", "softmax", "--classes", "3", "--compare", "offset=0").stdout
    assert "with classes = 3" in shown
    assert re.search(r"^ +classes=3 +classes=3, offset=0", shown, re.M)
    assert re.search(r"^naive-overflows +✓ 1 +✗ 0", shown, re.M)
    assert re.search(r"^stable-survives +✓ \S+ +✓ \S+", shown, re.M)


def test_sweep_shows_what_changes_and_the_claims_it_breaks(run: Run) -> None:
    shown = run("demo", "softmax", "--sweep", "gap=-2,0,2", "--watch", "two-class").stdout
    assert re.search(r"^ +-2 +0\.1192 +0 *$", shown, re.M) and re.search(r"^ +0 +0\.5 +0 *$", shown, re.M)
    assert re.search(r"^ +two-class$", shown, re.M) and re.search(r"^ +gap$", shown, re.M)
    broken = run("demo", "softmax", "--sweep", "offset=0,100").stdout
    assert "naive-overflows fails at 0" in broken


def test_falsify_measures_a_claim_as_it_stands_and_under_what_must_break_it(run: Run) -> None:
    shown = run("demo", "softmax", "--falsify", "shift_invariant").stdout
    assert shown.index("✓ holds") < shown.index("mistake=no-exp") < shown.index("✗ fails")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--compare", "gap"), "'gap': write NAME=VALUE"),
        (("--sweep", "gap=1"), "a sweep takes 2 to 20 different values"),
        (("--sweep", "gap=1,2", "--watch", "totl"), "no measure or claim 'totl' (did you mean 'total'?)"),
        (("--falsify", "sum-to-one"), "no claim 'sum-to-one' (did you mean 'sums-to-one'?)"),
        (("--falsify", "sums-to-one", "--sweep", "gap=1,2"), "cannot stand together"),
        (("--watch", "total"), "cannot stand together"),
        (("--compare", "gap=1", "--json"), "cannot stand together"),
    ],
)
def test_experiment_that_cannot_be_made_is_one_line(run: Run, options: tuple[str, ...], says: str) -> None:
    done = run("demo", "softmax", *options)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert says in line


# --- Saved ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--sweep", "gap=0,1,2")])
def test_what_is_shown_is_saved_as_picture_and_as_page(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    for suffix in (".png", ".svg", ".HTML"):
        target = tmp_path / f"saved{suffix}"
        shown = assert_fine(run("demo", "softmax", "--classes", "3", *options, "--save", str(target)))
        assert shown.endswith(f"Saved: {target}\n")
    assert (tmp_path / "saved.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(tmp_path / "saved.svg").getroot().tag.endswith("svg")
    page = (tmp_path / "saved.HTML").read_text(encoding="utf-8")
    assert "classes = 3" in page and ("sweep over gap" in page if options else "softmax outputs sum to 1" in page)


def test_page_holds_what_the_terminal_shows(run: Run, tmp_path: Path) -> None:
    shown = assert_fine(run("demo", "softmax", "--save", str(tmp_path / "page.html")))
    page = html.unescape(re.sub(r"<[^>]*>", "", (tmp_path / "page.html").read_text(encoding="utf-8")))
    claims = re.findall(r"\(measured\s+(\S+),", shown)
    assert len(claims) == 10 and re.findall(r"\(measured\s+(\S+),", page) == claims


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("saved.pdf", "the file's name must end with .png, .svg, .html"),
        ("no/folder/saved.html", "there is no folder"),
    ],
)
def test_place_that_cannot_be_saved_to_is_said_before_anything_runs(run: Run, target: str, says: str) -> None:
    done = run("demo", "softmax", "--save", target)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert says in line


def test_picture_without_matplotlib_says_what_to_install(run: Run, tmp_path: Path) -> None:
    package = tmp_path / "none" / "matplotlib"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'matplotlib'\")\n")
    done = run("demo", "softmax", "--save", str(tmp_path / "x.png"), changes={"PYTHONPATH": str(package.parent)})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.strip().endswith("pip install 'dlquiz[plots]'")
    assert run("demo", "softmax", "--save", str(tmp_path / "x.html")).returncode == 0
