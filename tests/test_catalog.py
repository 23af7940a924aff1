"""Which demos there are and what each takes and shows, read without importing any."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizcli.errors import QuizError, UsageError
from quizcli.lab.catalog import Catalog, DemoError, Guess, Parameter, Prediction, describe
from quizcli.lab.evidence import Range
from tests.banks import DEMOS

SOURCE = (DEMOS / "averaging.py").read_text(encoding="utf-8")


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """A demo like the fixture's, with some text replaced."""
    text = SOURCE
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    path = folder / "averaging.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_demo_is_described_from_its_file(catalog: Catalog) -> None:
    demo = catalog.find("averaging")
    assert demo.title == "The mean of n independent values spreads 1/√n times as far as one of them"
    assert list(demo.parameters) == ["count", "shift", "mistake", "clip", "seed"]
    assert {name: dict(claim.false_when) for name, claim in demo.claims.items()} == {
        "root-n": {"mistake": "sum"},
        "centered": {"shift": 1.0},
    }
    assert demo.measures == {"scaled-spread": "standard deviation of the means times √n"}
    assert demo.pictures == {"means", "grid"}
    assert demo.imports == {"math", "random", "statistics", "collections", "typing", "quizcli"}
    assert demo.prediction.measure == "scaled-spread"
    assert demo.prediction.choices == (Guess("as one value does, times 1/√n", 0.7, 1.3), Guess("more", 1.3, 100.0))


def test_parameters_are_described_with_type_range_and_meaning(catalog: Catalog) -> None:
    parameters = catalog.find("averaging").parameters
    assert parameters["count"] == Parameter("count", "int", 16, Range(2, 64), (), "values in one mean")
    assert parameters["shift"] == Parameter("shift", "float", 0.0, Range(0, 2), (), "true mean of the values")
    assert parameters["mistake"] == Parameter("mistake", "choice", "none", None, ("none", "sum"))
    assert parameters["clip"] == Parameter("clip", "bool", False)
    assert (parameters["seed"].kind, parameters["seed"].default) == ("int", 0)


def test_a_described_demo_is_not_imported(tmp_path: Path) -> None:
    path = changed(tmp_path, ("import math\n", "import math\nimport no_such_package\nraise SystemExit\n"))
    before = set(sys.modules)
    demo = describe(path)
    assert "no_such_package" in demo.imports
    assert not {name for name in set(sys.modules) - before if "averaging" in name}


@pytest.mark.parametrize("name", ["conv_shape", "conv-shape", "Conv-Shape", " CONV_SHAPE "])
def test_a_demo_is_found_by_a_forgiving_name(catalog: Catalog, name: str) -> None:
    assert catalog.find(name).name == "conv_shape"


def test_an_unknown_demo_has_a_near_one(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"no demo 'conv-shap' \(did you mean 'conv_shape'\?\)"):
        catalog.find("conv-shap")


@pytest.mark.parametrize("name", ["../demos/averaging", "averaging.py", "/etc/passwd", "..", "demos\\averaging"])
def test_a_path_is_no_name(catalog: Catalog, name: str) -> None:
    with pytest.raises(UsageError, match="looks like a path"):
        catalog.find(name)


def test_a_private_file_is_no_demo(tmp_path: Path) -> None:
    changed(tmp_path).rename(tmp_path / "_shared.py")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert Catalog(tmp_path).names == []
    with pytest.raises(UsageError):
        Catalog(tmp_path).find("_shared")


def test_a_catalog_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(QuizError, match="no folder of demos there"):
        _ = Catalog(tmp_path / "nowhere").names


def test_settings_are_the_given_ones_and_the_defaults(catalog: Catalog) -> None:
    demo = catalog.find("averaging")
    wanted = {"count": 4, "shift": 1.0, "mistake": "none", "clip": False, "seed": 0}
    assert demo.settings({"count": 4, "shift": 1}) == wanted


def test_an_unknown_parameter_has_a_near_one(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"demo averaging has no parameter 'cont' \(did you mean 'count'\?\)"):
        catalog.find("averaging").settings({"cont": 3})


COUNT = Parameter("n_units", "int", 4, Range(2, 64), (), "hidden units")
RATE = Parameter("rate", "float", 0.1, Range(0, 1))
MODE = Parameter("mode", "choice", "none", None, ("none", "No-Bias"))
FLAG = Parameter("flag", "bool", False)


@given(st.integers(-100, 200))
def test_a_whole_number_is_read_where_it_is_in_range(value: int) -> None:
    if 2 <= value <= 64:
        assert COUNT.read(f" {value} ") == value
    else:
        with pytest.raises(UsageError, match=r"--n-units .*a whole number from 2 to 64 \(hidden units\)"):
            COUNT.read(str(value))


@pytest.mark.parametrize("text", ["", "2.5", "three", "1e1", "nan", "0x10", "9" * 5000, "True"])
def test_what_is_no_whole_number_names_the_range(text: str) -> None:
    with pytest.raises(UsageError, match="a whole number from 2 to 64"):
        COUNT.read(text)


@pytest.mark.parametrize(("text", "value"), [("0.5", 0.5), ("1", 1.0), ("1e-3", 0.001), (".5", 0.5)])
def test_a_number_is_read(text: str, value: float) -> None:
    assert RATE.read(text) == value
    assert type(RATE.read(text)) is float


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1.1", "-0.1", "half", "1e999", "9" * 400])
def test_a_number_is_finite_and_in_range(text: str) -> None:
    with pytest.raises(UsageError, match=r"--rate .*a number from 0 to 1"):
        RATE.read(text)


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), "0.5", None, [0.5], True, float("nan")], ids=lambda value: str(value)[:5]
)
def test_a_value_of_a_bank_that_does_not_fit_is_wrong_usage(value: object) -> None:
    with pytest.raises(UsageError, match="--rate"):
        RATE.check(value)


@pytest.mark.parametrize("parameter", [COUNT, MODE, FLAG])
@pytest.mark.parametrize("value", [10**400, None, [], 0.5, "", {}], ids=lambda value: str(value)[:5])
def test_a_value_of_another_type_is_wrong_usage(parameter: Parameter, value: object) -> None:
    with pytest.raises(UsageError):
        parameter.check(value)


@pytest.mark.parametrize("text", ["none", "NONE", "no-bias", "No_Bias", "NO-BIAS"])
def test_a_choice_is_read_in_any_case(text: str) -> None:
    assert MODE.read(text) == ("none" if "n" in text[-2:].lower() else "No-Bias")


def test_a_choice_with_an_underscore_is_read_in_any_case_too() -> None:
    assert Parameter("mode", "choice", "no_bias", None, ("no_bias",)).read("No-Bias") == "no_bias"


def test_an_unknown_choice_names_the_choices() -> None:
    with pytest.raises(UsageError, match="one of none, No-Bias"):
        MODE.read("bias")


def test_flags_are_read_as_people_write_them() -> None:
    assert {FLAG.read(text) for text in ("true", "Yes", "on", "1")} == {True}
    assert {FLAG.read(text) for text in ("false", "No", "OFF", "0")} == {False}
    with pytest.raises(UsageError, match="true or false"):
        FLAG.read("maybe")


@given(st.floats(-1, 200))
def test_a_prediction_is_matched_by_the_first_choice_that_holds(value: float) -> None:
    prediction = Prediction("?", "m", (Guess("low", 0, 1), Guess("middle", 1, 10), Guess("high", 10, 100)))
    names = [
        name
        for name, (low, high) in {"low": (0, 1), "middle": (1, 10), "high": (10, 100)}.items()
        if low <= value <= high
    ]
    matching = prediction.matching(value)
    assert (matching.says if matching is not None else None) == (names[0] if names else None)


CLAIM = '"centered": {"says": "the mean of means is near the true mean 0", "false_when": {"shift": 1.0}},'
PARAMETER = 'count: Annotated[int, Range(2, 64), "values in one mean"] = 16'
CHOICES = '"choices": {"as one value does, times 1/√n": [0.7, 1.3], "more": [1.3, 100]},'

BROKEN: dict[str, tuple[str, str, str]] = {
    "syntax": ("import math", "import math math", "invalid syntax"),
    "no docstring": ('"""The mean', '_ = """The mean', "begins with a docstring"),
    "no claims": ("claims = {", "claim = {", "`claims = ...` is missing"),
    "computed claims": ("claims = {", "claims = dict() or {", "`claims` must be a pure literal"),
    "claims that are a list": ("claims = {", "claims = [] and {", "`claims` must be a pure literal"),
    "unhashable claims": ("claims = {", "claims = {\n    []: {},", "claims"),
    "claim without a falsifier": (
        CLAIM,
        '"centered": {"says": "x"},',
        "needs exactly `says` and a filled `false_when`",
    ),
    "empty falsifier": ('"false_when": {"shift": 1.0}', '"false_when": {}', "a filled `false_when`"),
    "falsifier that is text": ('"false_when": {"shift": 1.0}', '"false_when": "shift"', "centered"),
    "falsifier that is a list": ('"false_when": {"shift": 1.0}', '"false_when": ["shift"]', "centered"),
    "falsifier of no parameter": ('{"shift": 1.0}', '{"shfit": 1.0}', "no parameter 'shfit' (did you mean 'shift'?)"),
    "falsifier out of range": ('{"shift": 1.0}', '{"shift": 3.0}', "must be a number from 0 to 2"),
    "no measures": ("measures = {", "measure = {", "`measures = ...` is missing"),
    "no prediction": ("predict = {", "predicts = {", "`predict = ...` is missing"),
    "prediction of no measure": ('"measure": "scaled-spread",', '"measure": "spread",', "names no measure 'spread'"),
    "prediction of a list": ('"measure": "scaled-spread",', '"measure": [],', "measure"),
    "prediction without choices": (CHOICES, "", "needs exactly `ask`, `measure` and `choices`"),
    "one choice": (CHOICES, '"choices": {"all": [0, 1]},', "two to six choices"),
    "choices without bounds": (CHOICES, '"choices": {"a": 1, "b": 2},', "choices are"),
    "choices that are a list": (CHOICES, '"choices": [1, 2],', "choices are"),
    "no run": ("def run(", "def go(", "`def run(*, ...)` is missing"),
    "positional parameters": ("    *,\n", "", "keyword parameters only"),
    "any parameters": ("    seed: int = 0,\n", "    seed: int = 0,\n    **rest: int,\n", "keyword parameters only"),
    "no seed": ("    seed: int = 0,\n", "", "`run` needs `seed: int = 0`"),
    "seed that is no integer": ("seed: int = 0", "seed: float = 0", "`run` needs `seed: int = 0`"),
    "parameter without a type": ("clip: bool = False", "clip=False", "must be int, float, bool or Literal"),
    "parameter of another type": ("clip: bool = False", "clip: list = False", "must be int, float, bool or Literal"),
    "parameter without a default": ("clip: bool = False", "clip: bool", "default does not fit"),
    "default out of range": (PARAMETER, PARAMETER.replace("= 16", "= 65"), "from 2 to 64"),
    "default of another type": (PARAMETER, PARAMETER.replace("= 16", "= 1.5"), "a whole number"),
    "computed default": (PARAMETER, PARAMETER.replace("= 16", "= 4 * n"), "default does not fit"),
    "computed range": (PARAMETER, PARAMETER.replace("64", "LARGEST"), "count"),
    "range of one bound": (PARAMETER, PARAMETER.replace("(2, 64)", "(2)"), "count"),
    "range of words": (PARAMETER, PARAMETER.replace("(2, 64)", "('a', 'b')"), "count"),
    "no choices": ('Literal["none", "sum"]', "Literal[()]", "mistake"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_demo_that_breaks_the_contract_is_an_error_with_its_line(tmp_path: Path, what: str) -> None:
    old, new, words = BROKEN[what]
    path = changed(tmp_path, (old, new))
    with pytest.raises(DemoError) as caught:
        describe(path)
    where, _, message = str(caught.value).partition(": ")
    assert words in message
    assert where.startswith(f"{path}:") and int(where.rpartition(":")[2]) >= 1


@pytest.mark.parametrize(
    "what", ["syntax", "parameter of another type", "computed claims", "falsifier of no parameter"]
)
def test_the_line_is_that_of_the_fault(tmp_path: Path, what: str) -> None:
    old, new, _ = BROKEN[what]
    path = changed(tmp_path, (old, new))
    text = path.read_text(encoding="utf-8")
    with pytest.raises(DemoError) as caught:
        describe(path)
    assert str(caught.value).startswith(f"{path}:{text[: text.index(new)].count(chr(10)) + 1}: ")


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b'"""x"""\n\x00', b"(" * 5000, b"\xef\xbb\xbf", "ключ = ".encode() * 9],
    ids=["empty", "utf-16", "nul", "parentheses", "mark", "words"],
)
def test_any_file_is_described_or_is_a_demo_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "demo.py"
    path.write_bytes(data)
    with pytest.raises(DemoError, match=r"demo\.py"):
        describe(path)


def test_a_demo_that_is_not_there_is_a_demo_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="cannot be read"):
        describe(tmp_path / "demo.py")
