"""Which demos there are and what each takes and shows, read from the syntax tree: no demo is imported here."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from quizcli.errors import QuizError, UsageError, suggest
from quizcli.lab.evidence import Range

Value = int | float | bool | str
Kind = Literal["int", "float", "bool", "choice"]


LARGEST_SEED = 2**32 - 1
"""What NumPy and torch both take."""


class DemoError(QuizError):
    """A demo file that does not keep to the contract."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword parameter of a demo's `run`."""

    name: str
    kind: Kind
    default: Value
    range: Range | None = None
    choices: tuple[str, ...] = ()
    meaning: str = ""

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def allowed(self) -> str:
        """The values it takes, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "bool":
            return "true or false"
        number = "a whole number" if self.kind == "int" else "a number"
        return f"{number} from {self.range}" if self.range else number

    def read(self, text: str) -> Value:
        """The value that a person typed, or a UsageError that names what is allowed."""
        word = text.strip().lower()
        value: Any = text
        if self.kind == "bool":
            value = {
                "true": True,
                "yes": True,
                "on": True,
                "1": True,
                "false": False,
                "no": False,
                "off": False,
                "0": False,
            }.get(word, text)
        elif self.kind == "choice":
            value = next((choice for choice in self.choices if _plain(choice) == _plain(word)), text)
        else:
            with suppress(ValueError):
                value = int(word) if self.kind == "int" else float(word)
        return self.check(value)

    def check(self, value: Any) -> Value:
        """The value in the parameter's own type, or a UsageError that names what is allowed."""
        if self.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            with suppress(OverflowError):
                value = float(value)
        fits = {"int": int, "float": float, "bool": bool, "choice": str}[self.kind]
        right = type(value) is fits
        if right and self.kind == "choice":
            right = value in self.choices
        if right and self.kind == "float":
            right = value == value and abs(value) != float("inf")
        if right and self.range is not None:
            right = value in self.range
        if not right:
            meaning = f" ({self.meaning})" if self.meaning else ""
            raise UsageError(f"{self.option} {value}: must be {self.allowed}{meaning}")
        checked: Value = value
        return checked


@dataclass(frozen=True, slots=True)
class ClaimSpec:
    """What a claim says, and the settings under which it must fail."""

    name: str
    says: str
    false_when: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Guess:
    """One answer that a prediction offers: the measured value lies in the closed interval."""

    says: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The question that a demo asks before it runs."""

    ask: str
    measure: str
    choices: tuple[Guess, ...]

    def matching(self, value: float) -> Guess | None:
        """The first offered answer that holds for a measured value."""
        return next((guess for guess in self.choices if guess.low <= value <= guess.high), None)


@dataclass(frozen=True, slots=True)
class Demo:
    """One file of the catalog."""

    name: str
    path: Path
    title: str
    text: str
    parameters: Mapping[str, Parameter]
    claims: Mapping[str, ClaimSpec]
    measures: Mapping[str, str]
    prediction: Prediction
    plots: frozenset[str]
    images: frozenset[str]
    imports: frozenset[str]

    @property
    def pictures(self) -> frozenset[str]:
        """Everything that it draws."""
        return self.plots | self.images

    @property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def settings(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Every parameter's value: the given ones checked, the rest at their defaults."""
        for name in given:
            if name not in self.parameters:
                raise UsageError(f"demo {self.name} has no parameter '{name}'{suggest(name, self.parameters)}")
        return {
            name: parameter.check(given[name]) if name in given else parameter.default
            for name, parameter in self.parameters.items()
        }


class Catalog:
    """The demos of one folder, found by forgiving names and described on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._described: dict[str, Demo] = {}

    @property
    def names(self) -> list[str]:
        if not self.folder.is_dir():
            raise QuizError(f"{self.folder}: no folder of demos there; install dlquiz again")
        return sorted(path.stem for path in self.folder.glob("*.py") if not path.stem.startswith("_"))

    def find(self, name: str) -> Demo:
        """The demo of that name (hyphen or underscore, any case), else a UsageError with a near name."""
        plain = name.strip().lower().replace("-", "_")
        if plain in self._described:
            return self._described[plain]
        if plain not in self.names:
            if any(mark in name for mark in "/\\.") and name:
                raise UsageError(f"'{name}' looks like a path; a demo is called by its name: dlquiz demo lists them")
            raise UsageError(f"no demo '{name}'{suggest(plain, self.names)}; dlquiz demo lists them")
        demo = describe(self.folder / f"{plain}.py")
        self._described[plain] = demo
        return demo


def describe(path: Path) -> Demo:
    """A demo's description from its syntax tree; a DemoError names the line that breaks the contract."""
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (OSError, UnicodeDecodeError) as error:
        raise DemoError(f"{path}: cannot be read: {error}") from error
    except SyntaxError as error:
        raise DemoError(f"{path}:{error.lineno}: {error.msg}") from error
    return _Reader(path, tree).demo()


class _Reader:
    """Reads the literals and the signature of one demo."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self.path = path
        self.tree = tree

    def fail(self, node: ast.AST | None, message: str) -> DemoError:
        line = getattr(node, "lineno", 1)
        return DemoError(f"{self.path}:{line}: {message}")

    def demo(self) -> Demo:
        text = ast.get_docstring(self.tree)
        if not text:
            raise self.fail(
                None,
                "a demo begins with a docstring: one line that says what it shows, then the formula and the source",
            )
        parameters = self.parameters()
        measures = self.literal("measures")[1]
        return Demo(
            name=self.path.stem,
            path=self.path,
            title=text.splitlines()[0].rstrip("."),
            text=text,
            parameters=parameters,
            claims=self.claims(parameters),
            measures={str(name): str(meaning) for name, meaning in measures.items()},
            prediction=self.prediction(measures),
            plots=self.yielded("Plot"),
            images=self.yielded("Image"),
            imports=self.imports(),
        )

    def literal(self, name: str) -> tuple[ast.Assign, dict[Any, Any]]:
        """A mapping that stands at the top of the file as a pure literal."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                try:
                    value = ast.literal_eval(node.value)
                except (ValueError, TypeError):
                    raise self.fail(node, f"`{name}` must be a pure literal") from None
                if not isinstance(value, dict):
                    raise self.fail(node, f"`{name}` must be a dict")
                return node, value
        raise self.fail(None, f"`{name} = ...` is missing at the top of the file")

    def claims(self, parameters: Mapping[str, Parameter]) -> dict[str, ClaimSpec]:
        node, entries = self.literal("claims")
        assert isinstance(node.value, ast.Dict)
        specs = {}
        for key, (name, entry) in zip(node.value.keys, entries.items(), strict=False):
            falsifier = entry.get("false_when") if isinstance(entry, dict) else None
            if set(entry) != {"says", "false_when"} or not isinstance(falsifier, dict) or not falsifier:
                raise self.fail(key, f"claim '{name}' needs exactly `says` and a filled `false_when`")
            for parameter, value in falsifier.items():
                if parameter not in parameters:
                    near = suggest(str(parameter), parameters)
                    raise self.fail(key, f"claim '{name}': `false_when` names no parameter '{parameter}'{near}")
                try:
                    parameters[parameter].check(value)
                except UsageError as error:
                    raise self.fail(key, f"claim '{name}': `false_when`: {error}") from None
            specs[str(name)] = ClaimSpec(str(name), str(entry["says"]), falsifier)
        return specs

    def prediction(self, measures: Mapping[Any, Any]) -> Prediction:
        node, entry = self.literal("predict")
        if set(entry) != {"ask", "measure", "choices"}:
            raise self.fail(node, "`predict` needs exactly `ask`, `measure` and `choices`")
        measure = str(entry["measure"])
        if measure not in measures:
            raise self.fail(node, f"`predict` names no measure '{measure}'{suggest(measure, map(str, measures))}")
        try:
            choices = tuple(Guess(str(says), float(low), float(high)) for says, (low, high) in entry["choices"].items())
        except (AttributeError, TypeError, ValueError):
            raise self.fail(node, '`predict`: choices are {"label": [low, high], ...}') from None
        if not 2 <= len(choices) <= 6:
            raise self.fail(node, "`predict` offers two to six choices")
        return Prediction(str(entry["ask"]), measure, choices)

    def yielded(self, kind: str) -> frozenset[str]:
        """The names of the plots, or images, that the file yields, where they are literal."""
        return frozenset(
            str(node.args[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == kind
            and node.args
            and isinstance(node.args[0], ast.Constant)
        )

    def imports(self) -> frozenset[str]:
        """The packages that the file imports: `numpy`, `torch`, ..."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
        return frozenset(found)

    def parameters(self) -> dict[str, Parameter]:
        run = next((n for n in self.tree.body if isinstance(n, ast.FunctionDef) and n.name == "run"), None)
        if run is None:
            raise self.fail(None, "`def run(*, ...)` is missing")
        if run.args.args or run.args.posonlyargs or run.args.vararg or run.args.kwarg:
            raise self.fail(run, "`run` takes keyword parameters only: def run(*, ...)")
        found = {
            argument.arg: self.parameter(argument, default)
            for argument, default in zip(run.args.kwonlyargs, run.args.kw_defaults, strict=True)
        }
        if "seed" not in found or found["seed"].kind != "int":
            raise self.fail(run, "`run` needs `seed: int = 0`")
        return found

    def range(self, argument: ast.arg, call: ast.Call) -> Range:
        try:
            low, high = (ast.literal_eval(bound) for bound in call.args)
            if not float(low) < float(high):
                raise ValueError("the bounds must grow")
        except (ValueError, TypeError):
            message = f"parameter '{argument.arg}': Range takes two literal numbers, the smaller one first"
            raise self.fail(call, message) from None
        return Range(low, high)

    def parameter(self, argument: ast.arg, default: ast.expr | None) -> Parameter:
        annotation, extras = argument.annotation, list[ast.expr]()
        if (
            isinstance(annotation, ast.Subscript)
            and _name(annotation.value) == "Annotated"
            and isinstance(annotation.slice, ast.Tuple)
        ):
            annotation, *extras = annotation.slice.elts
        choices: tuple[str, ...] = ()
        kind: Any = _name(annotation)
        if isinstance(annotation, ast.Subscript) and _name(annotation.value) == "Literal":
            kind = "choice"
            elements: Sequence[ast.expr] = (
                annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
            )
            choices = tuple(str(element.value) for element in elements if isinstance(element, ast.Constant))
        if kind not in ("int", "float", "bool", "choice"):
            raise self.fail(argument, f"parameter '{argument.arg}' must be int, float, bool or Literal[...]")
        span = meaning = None
        for extra in extras:
            if isinstance(extra, ast.Call) and _name(extra.func) == "Range":
                span = self.range(argument, extra)
            elif isinstance(extra, ast.Constant):
                meaning = str(extra.value)
        try:
            value: Any = ast.literal_eval(default) if default is not None else None
            if kind == "float" and isinstance(value, int):
                value = float(value)
            if argument.arg == "seed" and span is None:
                span, meaning = Range(0, LARGEST_SEED), meaning or "seed of what is drawn at random"
            parameter = Parameter(argument.arg, kind, value, span, choices, meaning or "")
            parameter.check(value)
        except (ValueError, UsageError) as error:
            raise self.fail(argument, f"parameter '{argument.arg}': its default does not fit: {error}") from None
        return parameter


def _plain(word: str) -> str:
    return word.strip().lower().replace("_", "-")


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
