"""Mutants of the demos that are written out by hand: `python tests/mutation/mutants.py [DEMO ...]`.

Fixed operators plant the slips that people make in such code: a sign, a transposed weight, a sum for a mean, a dropped
term, bias or factor, sigmoid for tanh, a wrong axis. A mutant counts if it changes what a default run measures, and is
caught if a claim fails, or the run itself does. Nothing here fails: it prints the share, and the survivors by line.
"""

from __future__ import annotations

import argparse
import ast
import copy
import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent.parent
HAND_WRITTEN = ("backprop", "boltzmann", "cnn", "dbn", "lstm", "som")
PATIENCE = 60
"""Seconds after which a mutant counts as caught: it never ends."""


@dataclass(frozen=True)
class Mutant:
    """One changed place of a demo."""

    demo: str
    operator: str
    line: int
    before: str
    after: str
    source: str


@dataclass(frozen=True)
class Outcome:
    mutant: Mutant
    verdict: str


# --- Operators: a node, and what may stand in its place -----------------------------------------------


def sign(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand


def dropped_term(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield node.left


def dropped_factor(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield node.left
        if isinstance(node.op, ast.Mult):
            yield node.right


def transposed(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield ast.BinOp(node.left, ast.MatMult(), ast.Attribute(node.right, "T", ast.Load()))


def sum_for_mean(node: ast.AST) -> Iterator[ast.AST]:
    swap = {"mean": "sum", "sum": "mean"}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in swap:
        yield ast.Call(ast.Attribute(node.func.value, swap[node.func.attr], ast.Load()), node.args, node.keywords)


def sigmoid_for_tanh(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "tanh" and node.args:
        half = ast.parse("(1 + f(x / 2)) / 2", mode="eval").body
        yield _Filled(node.func, node.args[0]).visit(half)


def wrong_axis(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.keyword) and node.arg in ("axis", "dim") and isinstance(node.value, ast.Constant):
        other = {0: 1, 1: 0, -1: 0, 2: 1}.get(node.value.value)
        if other is not None:
            yield ast.keyword(node.arg, ast.Constant(other))


OPERATORS: dict[str, Callable[[ast.AST], Iterator[ast.AST]]] = {
    "sign": sign,
    "dropped term": dropped_term,
    "dropped factor": dropped_factor,
    "transposed": transposed,
    "sum for mean": sum_for_mean,
    "sigmoid for tanh": sigmoid_for_tanh,
    "wrong axis": wrong_axis,
}


class _Filled(ast.NodeTransformer):
    """`f` and `x` of a template, filled in."""

    def __init__(self, function: ast.expr, argument: ast.expr) -> None:
        self.function, self.argument = function, argument

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return {"f": self.function, "x": self.argument}.get(node.id, node)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().generic_visit(node)


# --- Mutants -----------------------------------------------------------------------------------------


def mutants_of(demo: str) -> Iterator[Mutant]:
    """Every operator at every place in the demo's functions; what draws and prints is left alone."""
    source = (ROOT / "demos" / f"{demo}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        for node in _computing(function):
            for name, operator in OPERATORS.items():
                for new in operator(node):
                    line = getattr(node, "lineno", function.lineno)
                    yield Mutant(demo, name, line, ast.unparse(node), ast.unparse(new), _with(tree, node, new))


def _computing(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Nodes of a function's statements, but for texts, plots, pictures, tables, progress, annotations and defaults."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        shown = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if shown and node.func.id in ("Text", "Plot", "Image", "Table", "Progress"):  # type: ignore[attr-defined]
            continue
        if isinstance(node, ast.JoinedStr):
            continue
        yield node
        todo += ast.iter_child_nodes(node)


def _with(tree: ast.Module, old: ast.AST, new: ast.AST) -> str:
    """The module's source with one node in place of another."""
    places = list(ast.walk(tree))
    copied = copy.deepcopy(tree)
    twin = list(ast.walk(copied))[next(at for at, node in enumerate(places) if node is old)]
    return ast.unparse(ast.fix_missing_locations(_Replace(twin, copy.deepcopy(new)).visit(copied)))


# --- Runs --------------------------------------------------------------------------------------------


def found_by(demo: str, source: str) -> tuple[dict[str, float], bool] | str:
    """What a default run measures and whether all claims hold; the error where it fails."""
    import signal

    from quizcli.lab import runner
    from quizcli.lab.catalog import describe
    from quizcli.lab.evidence import Claim, Measure

    def too_long(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, too_long)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{demo}.py"
        path.write_text(source, encoding="utf-8")
        values, holds = dict[str, float](), True
        signal.alarm(PATIENCE)
        try:
            for item in runner.run(describe(path), {}):
                if isinstance(item, Measure) and not item.timing:
                    values[item.name] = item.value
                elif isinstance(item, Claim):
                    values[item.name] = item.measured
                    holds = holds and item.holds
        except Exception as error:
            return str(error)
        finally:
            signal.alarm(0)
            sys.modules.pop(f"dlquiz_demo_{demo}", None)
        return values, holds


def judge(mutant: Mutant, right: dict[str, float]) -> Outcome:
    found = found_by(mutant.demo, mutant.source)
    if isinstance(found, str):
        return Outcome(mutant, "caught")
    values, holds = found
    if not holds:
        return Outcome(mutant, "caught")
    same = values.keys() == right.keys() and all(
        math.isclose(values[name], right[name], rel_tol=1e-6, abs_tol=1e-9) for name in right
    )
    return Outcome(mutant, "unchanged" if same else "survived")


def _quiet() -> None:
    import os
    import warnings

    from quizcli.lab.runner import one_thread_environment

    one_thread_environment()
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demos", nargs="*", default=HAND_WRITTEN)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _quiet) as pool:
        for demo in options.demos:
            source = (ROOT / "demos" / f"{demo}.py").read_text(encoding="utf-8")
            right = pool.submit(found_by, demo, source).result()
            assert not isinstance(right, str), right
            mutants = list(mutants_of(demo))
            outcomes = list(pool.map(judge, mutants, [right[0]] * len(mutants)))
            caught = sum(outcome.verdict == "caught" for outcome in outcomes)
            survivors = [outcome.mutant for outcome in outcomes if outcome.verdict == "survived"]
            changing = caught + len(survivors)
            print(
                f"{demo}: {caught} of {changing} caught ({caught / changing:.0%}), {len(outcomes)} mutants", flush=True
            )
            for mutant in survivors:
                print(f"  line {mutant.line}, {mutant.operator}: {mutant.before}  ->  {mutant.after}", flush=True)


if __name__ == "__main__":
    main()
