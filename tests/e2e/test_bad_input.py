"""Everything that can be wrong from outside: one clear line, exit code 1 or 2, nothing lost, no traceback."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Run, Start
from .program import BANK, DLQUIZ, PATIENCE, environment

posix = pytest.mark.skipif(os.name != "posix", reason="signals, pipes and terminals as POSIX has them")

GOOD = (BANK / "basics" / "literal.yaml").read_text(encoding="utf-8").replace("needs: [shares]\n", "")
SHOWN = "bank/basics/literal.yaml"
"""How messages name the file of the bank that `bank_of` makes."""


@pytest.fixture
def bank_of(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """A bank of one file with this content."""

    def make(content: str | bytes) -> Path:
        path = tmp_path / "bank" / "basics" / "literal.yaml"
        path.parent.mkdir(parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "bank"

    return make


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    """It left with this code after one line on standard error, which holds all these texts."""
    assert done.returncode == code, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert [text for text in texts if text not in lines[0]] == [], lines[0]
    assert "Traceback" not in done.stderr
    assert controls(done.stderr) == []


def controls(text: str) -> list[str]:
    """Control characters, and those that reorder what is read."""
    return [
        character
        for character in text
        if re.match(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e]", character)
    ]


# --- Banks ------------------------------------------------------------------------------------------


def _line_of(text: str) -> int:
    return GOOD[: GOOD.index(text)].count("\n") + 1


BROKEN: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "broken YAML": (GOOD + "  - : [\n", (f"{SHOWN}:{GOOD.count(chr(10)) + 1}", "broken YAML")),
    "a number for a text": (
        GOOD.replace('title: "Text as it is: [b]"', "title: 3"),
        (f"{SHOWN}:{_line_of('title:')}: ", "'title' must be text, not the number 3", "quote it"),
    ),
    "a list for a number": (
        GOOD.replace("priority: 1", "priority: [1]"),
        (f"{SHOWN}:{_line_of('priority')}: ", "question 'shapes'", "'priority' must be one of 1, 2, 3"),
    ),
    "a text for a list": (
        GOOD.replace('hints: ["Look at [batch, seq] and [/b]."]', "hints: Look"),
        (f"{SHOWN}:{_line_of('hints')}: ", "'hints' must be a list, not text"),
    ),
    "an unknown key": (
        GOOD.replace("answer:", "anser:").replace("short:", "answer: x\n    short:"),
        (f"{SHOWN}:", "unknown key 'anser'", "did you mean 'answer'?"),
    ),
    "a key twice": (GOOD + "topic: literal\n", (f"{SHOWN}:", "duplicate key 'topic' (first on line 3)")),
    "an empty file": ("", (SHOWN, "the file is empty", "`format: 1`")),
    "50 MB": (b"# " + b"x" * 50_000_000, (SHOWN, "50.0 MB", "split the topic")),
    "an alias": ("a: x\nb: *a\n", (f"{SHOWN}:2: ", "aliases")),
    "deep nesting": ("[" * 100_000, (f"{SHOWN}:1: ", "nested more than 20 levels deep")),
    "an object": (
        GOOD.replace("title: ", "title: !!python/object/apply:os.system "),
        (f"{SHOWN}:{_line_of('title:')}: ", "tags are not read", "os.system"),
    ),
    "two documents": (GOOD + "---\na: 1\n", (f"{SHOWN}:", "second document")),
    "invalid UTF-8": (GOOD.encode() + b"# caf\xe9\n", (f"{SHOWN}:{GOOD.count(chr(10)) + 1}: ", "not UTF-8", "0xe9")),
    "a raw escape character": (
        GOOD.replace("Look", "\x1b[31mLook"),
        (f"{SHOWN}:{_line_of('hints')}: ", "\\x1b", "delete it"),
    ),
    "an escaped escape character": (
        GOOD.replace("Look", "\\e[31mLook"),
        (f"{SHOWN}:{_line_of('hints')}: ", "control character '\\x1b'", "delete it"),
    ),
    "a key with an escape character": (GOOD + '"b\\e[31ma": 1\n', (f"{SHOWN}:", "unknown key", "␛[31m")),
    "a NUL": (GOOD.replace("Look", "L\0ook"), (f"{SHOWN}:{_line_of('hints')}: ", "\\x00")),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_bank_is_one_line_with_file_and_line(
    run: Run, bank_of: Callable[[str | bytes], Path], what: str
) -> None:
    content, texts = BROKEN[what]
    assert_one_line(run("topics", bank=bank_of(content)), 1, *texts)


def test_alias_bomb_is_refused_at_once(run: Run, bank_of: Callable[[str | bytes], Path]) -> None:
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 30)]
    done = run("topics", bank=bank_of("a0: &a0 [x]\n" + "\n".join(levels)))
    assert done.returncode == 1
    assert f"{SHOWN}:2: aliases (*name) are not read in banks" in done.stderr
    assert len(done.stderr.splitlines()) < 5
    assert "Traceback" not in done.stderr


def test_every_problem_of_every_file_comes_in_one_run(run: Run, bank_of: Callable[[str | bytes], Path]) -> None:
    bank = bank_of(GOOD.replace("level: warm-up", "level: easy").replace("skill: recall", "skill: luck"))
    (bank / "basics" / "other.yaml").write_text("format: 2\n")
    for command in (("topics",), ("practice",), ("bank", "check")):
        done = run(*command, bank=bank)
        assert done.returncode == 1
        found = done.stdout if command[0] == "bank" else done.stderr
        assert [text for text in ("'level'", "'skill'", "other.yaml:1: ") if text not in found] == []


def test_unknown_kind_and_demo_of_a_question_are_named_with_what_is_near(
    run: Run, bank_of: Callable[[str | bytes], Path]
) -> None:
    bank = bank_of(GOOD.replace("kind: multi", "kind: mutli"))
    assert "'kind' must be one of open, choice, multi" in run("topics", bank=bank).stderr
    (bank / "basics" / "literal.yaml").write_text(GOOD.replace("demo: softmax", "demo: sofmax"))
    done = run("bank", "check", bank=bank)
    assert done.returncode == 1
    assert f"{SHOWN}:{_line_of('demo:')}: unknown demo 'sofmax' (did you mean 'softmax'?)" in done.stdout


@pytest.mark.parametrize("demo", ["../softmax", "/etc/passwd"])
def test_bank_names_no_path(run: Run, bank_of: Callable[[str | bytes], Path], demo: str) -> None:
    bank = bank_of(GOOD.replace("demo: softmax", f"demo: {demo}"))
    checked = run("bank", "check", bank=bank)
    assert checked.returncode == 1
    assert f"{SHOWN}:{_line_of('demo:')}: " in checked.stdout
    assert "looks like a path" in checked.stdout
    # A session shows the question and refuses the demo.
    done = run("practice", "literal", stdin="\n:d\n\n", bank=bank)
    assert done.returncode == 0
    assert "looks like a path" in done.stdout
    assert "Right: 0 of 1" in done.stdout


def test_control_characters_in_code_are_shown_or_refused_and_not_obeyed(
    run: Run, bank_of: Callable[[str | bytes], Path]
) -> None:
    content = (BANK / "basics" / "shares.yaml").read_text(encoding="utf-8").replace("topic: shares", "topic: literal")
    code = "\"def f(z):\\n    e = '\\e]0;title\\a\\e[31m'\\x9b2J\\b\\b\\n    return e\\n\""
    bank = bank_of(re.sub(r"code: \|\n(?: {6}.*\n)+", lambda _: f"code: {code}\n", content))
    done = run("practice", "literal/bug", stdin="3\n:e\n\n", bank=bank)
    assert controls(done.stdout + done.stderr) == []
    assert "␛]0;title␇␛[31m" in done.stdout or (done.returncode == 1 and "control character" in done.stderr)


def test_marks_that_reorder_text_are_shown_and_not_obeyed(run: Run, bank_of: Callable[[str | bytes], Path]) -> None:
    content = (BANK / "basics" / "shares.yaml").read_text(encoding="utf-8").replace("topic: shares", "topic: literal")
    # In the prompt, the code, the direct answer, the whole answer, and a key point.
    for text in ("This softmax gives", "np.exp(z)", "Line 2 takes exp", "The largest logit has", "Shifted logits"):
        content = content.replace(text, f"{text[:3]}\u202e\u200f{text[3:]}")
    bank = bank_of(content)
    done = run("practice", "literal/bug", stdin="3\n:e\n\n", bank=bank)
    assert (done.returncode, done.stderr) == (0, "")
    assert controls(done.stdout) == []
    assert done.stdout.count("\\u202e\\u200f") >= 5
    for arguments in (("explain", "literal/bug"), ("explain", "literal"), ("search", "softmax")):
        assert controls(run(*arguments, bank=bank).stdout) == []


def test_text_that_looks_like_markup_is_shown_as_it_is(run: Run) -> None:
    done = run("practice", "literal", stdin=":h\na\n:e\n\n")
    shown = " ".join(done.stdout.split())
    for text in (
        "A tensor of shape [batch, seq] begins with <sos>, [b] or [/b]; 2*3*4 is 24,",
        "{name} is a brace and :smile: is no picture.",
        "x[b] = y[/b] # <sos> 2*3*4",
        "shape [batch, seq]",
        "token <sos>",
        "product 2*3*4",
        "Hint: Look at [batch, seq] and [/b].",
        "Both [batch, seq] and <sos>, not 2*3*4 [/b].",
        "2*3*4 is [i]24[/i].",
        "[red]batch[/red] comes first.",
        "It is [b]literal[/b]: [batch, seq], <sos>, 2*3*4.",
        "Neither [b] nor [/b] vanishes.",
    ):
        assert text in shown
    assert done.stderr == ""
    explained = " ".join(run("explain", "literal").stdout.split())
    assert "Text as it is: [b]" in explained
    assert "[batch, seq] begins with <sos>, [b] or [/b]; 2*3*4" in explained


@pytest.mark.parametrize("arguments", [(), ("practice",), ("bank", "check")])
def test_missing_bank_folder_is_one_line(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, bank=tmp_path / "nowhere")
    assert_one_line(done, 1, str(tmp_path / "nowhere"), "no bank folder", "DLQUIZ_BANK")


def test_bank_folder_that_is_a_file_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_one_line(run("topics", bank=tmp_path / "file"), 1, "no bank folder")


def test_bank_without_a_question_is_no_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bank").mkdir()
    for arguments in ((), ("topics",), ("practice",)):
        done = run(*arguments, bank=tmp_path / "bank")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a file that this user may not read")
def test_unreadable_bank_file_is_one_line(run: Run, bank_of: Callable[[str | bytes], Path]) -> None:
    bank = bank_of(GOOD)
    (bank / "basics" / "literal.yaml").chmod(0)
    assert_one_line(run("topics", bank=bank), 1, SHOWN, "cannot be read")


# --- Arguments --------------------------------------------------------------------------------------

USAGE = {
    "nosuch": ("nosuch",),
    "topics --nosuch": ("--nosuch",),
    "practice shars": ("'shars'", "did you mean 'shares'?", "dlquiz topics"),
    "practice shares/factr": ("'shares/factr'", "did you mean 'shares/factor'?", "dlquiz topics"),
    "practice ../shares": ("'../shares'", "dlquiz topics"),
    "practice --kind nope": ("--kind nope", "open, choice, multi, number, order, debug"),
    "practice --level hard": ("--level hard", "warm-up, core, deep"),
    "practice --skill luck": ("--skill luck", "recall", "communication"),
    "practice -n 0": ("'-n'", "0 is not in the range", "1"),
    "practice -n -1": ("'-n'", "-1 is not in the range", "1"),
    "practice --seed x": ("'--seed'", "'x'"),
    "explain zzz": ("'zzz'", "dlquiz topics"),
    "explain shares/factr": ("'shares/factr'", "did you mean 'shares/factor'?"),
    "bank check nowhere.yaml": ("nowhere.yaml: no such file or folder",),
    "demo sofmax": ("'sofmax'", "did you mean 'softmax'?", "dlquiz demo lists them"),
    "demo ../softmax": ("'../softmax' looks like a path", "dlquiz demo lists them"),
    "demo softmax.py": ("looks like a path",),
    r"demo ..\softmax": ("looks like a path",),
    "demo softmax --clases 3": ("no option '--clases'", "did you mean '--classes'?"),
    "demo softmax --classes": ("--classes", "argument"),
    "demo softmax --classes 1": ("--classes 1: must be a whole number from 2 to 50", "number of classes"),
    "demo softmax --classes many": ("--classes many: must be a whole number from 2 to 50",),
    "demo softmax --hot nan": ("--hot nan: must be a number from 1 to 1000",),
    "demo softmax --mistake foo": ("--mistake foo: must be one of none, sigmoid, no-exp, no-max",),
    "demo softmax --seed -1": ("--seed -1: must be",),
    "demo --classes 3": ("--classes needs the name of a demo",),
}


@pytest.mark.parametrize("line", USAGE)
def test_wrong_usage_is_one_line_and_exit_code_2(run: Run, line: str) -> None:
    arguments = ["demo", r"..\softmax"] if "\\" in line else shlex.split(line)
    assert_one_line(run(*arguments), 2, *USAGE[line])


@pytest.mark.parametrize("line", ["", "explain", "search", "demo softmax"])
def test_control_characters_of_arguments_are_shown_and_not_obeyed(run: Run, line: str) -> None:
    done = run(*line.split(), "\x1b[31mred\x07\x9b1m")
    assert "red" in done.stdout + done.stderr
    assert controls(done.stdout + done.stderr) == []


# --- Folders, pipes, terminals ----------------------------------------------------------------------


def test_unwritable_cache_folder_is_worked_without(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        done = run("topics", changes={"DLQUIZ_HOME": str(home)})
        assert (done.returncode, done.stderr) == (0, "")
        assert "2 topics, 10 questions" in done.stdout
        explained = run("explain", "shares/factor", changes={"DLQUIZ_HOME": str(home)})
        assert (explained.returncode, explained.stderr) == (0, "")


def test_damaged_cache_is_rebuilt_without_a_word(run: Run, home: Path) -> None:
    shutil.rmtree(home / "cache")
    before = run("topics")
    [index] = (home / "cache").iterdir()
    for damage in (b"", b"no database at all", index.read_bytes()[:5000] + b"\xff" * 9000):
        index.write_bytes(damage)
        after = run("topics")
        assert (after.returncode, after.stdout, after.stderr) == (0, before.stdout, "")
        assert index.read_bytes().startswith(b"SQLite format 3")


@posix
@pytest.mark.parametrize(
    "line", ["topics | head -1", "demo softmax | head -1", "demo softmax --json | true", "--help | true"]
)
def test_closed_pipe_is_nobodys_fault(tmp_path: Path, home: Path, line: str) -> None:
    command = f'{shlex.join(DLQUIZ)} {line}; echo "${{PIPESTATUS[@]}}"'
    env = environment(home)
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=tmp_path, env=env, timeout=PATIENCE)
    assert done.stderr == b""
    assert done.stdout.split(b"\n")[-2] == b"0 0"


@posix
def test_closed_pipe_ends_a_session_in_peace(start: Start) -> None:
    quiz = start("practice", "shares/bug", "shares/factor")
    quiz.wait_for("Which line is wrong?")
    assert quiz.process.stdout is not None
    quiz.process.stdout.close()
    quiz.send("2")
    assert quiz.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("line", ["", "topics", "demo softmax", "practice --seed 1"])
def test_twenty_columns_are_enough(run: Run, line: str) -> None:
    done = run(*line.split(), stdin="\n\n" * 10, changes={"COLUMNS": "20"})
    assert (done.returncode, done.stderr) == (0, "")
    assert [text for text in done.stdout.splitlines() if len(text) > 20] == []


@pytest.mark.parametrize("columns", ["1", "wide"])
def test_nonsense_in_columns_does_no_harm(run: Run, columns: str) -> None:
    done = run("practice", "shares/bug", stdin="2\n\n", changes={"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line", ["demo softmax", "demo softmax --source", "explain shares/curve"])
def test_terminal_without_utf8_gets_spelled_characters(run: Run, line: str) -> None:
    done = run(*line.split(), changes={"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "?" not in done.stdout.replace("numbers?", "").replace("uniform?", "")


def test_session_without_utf8_is_spelled(run: Run) -> None:
    lines = "the factor cancels\nab\n:e\n2\n:e\n\n"
    done = run("practice", "shares/why-shift", "shares/bug", stdin=lines, changes={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "+ Right" in done.stdout
    assert "Right: 2 of 2" in done.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8:surrogateescape", "ascii"])
def test_line_that_cannot_be_decoded_takes_its_line_and_no_other(run: Run, encoding: str) -> None:
    done = run("practice", "shares/bug", stdin=b"\xff\xc3\xaf\n2\n\n", changes={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be read" in done.stdout
    assert "Right: 1 of 1" in done.stdout


def test_control_characters_of_an_answer_are_shown_and_not_obeyed(run: Run) -> None:
    done = run(
        "practice", "shares/why-shift", "shares/bug", stdin="it \x1b[31mcancels\x07\0\nab\n\x1b[2J\n2\n\x1b[2J\n\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert controls(done.stdout) == []
    assert "␛[31mcancels" in done.stdout
    assert "Right: 2 of 2" in done.stdout


def test_endless_line_is_read_and_answered(run: Run) -> None:
    done = run("practice", "shares/entropy-of-two", "shares/bug", stdin="1" * 1_000_000 + "\n0.69\n\n2\n\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Right: 2 of 2" in done.stdout


def test_program_imports_neither_numpy_nor_torch_for_a_quiz(tmp_path: Path, home: Path) -> None:
    code = (
        "import sys\nfrom quizcli.cli.app import run\nrun(['practice', 'shares/bug'])\n"
        "sys.exit(len({'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"2\n\n", capture_output=True, cwd=tmp_path, env=environment(home)
    )
    assert (done.returncode, done.stderr) == (0, b"")
