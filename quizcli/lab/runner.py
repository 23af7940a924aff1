"""Run a demo in this process: load it by its path, hand out its evidence, leave no trace."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from quizcli.errors import QuizError
from quizcli.lab.catalog import Demo
from quizcli.lab.evidence import Claim, Evidence, Measure

TORCH_MISSING = "needs torch, which is not installed here: pip install 'torch>=2.6,<2.14'"


class DemoRunError(QuizError):
    """A demo that could not be run to its end."""


def run(demo: Demo, given: Mapping[str, Any]) -> Generator[Evidence, None, None]:
    """The evidence of one run, as it is computed; given settings are checked first.

    Raises UsageError for a setting that is not allowed and DemoRunError, its cause attached, when the demo raises.
    """
    settings = demo.settings(given)
    return _evidence(demo, settings)


def _evidence(demo: Demo, settings: Mapping[str, Any]) -> Generator[Evidence, None, None]:
    with _generators_kept(), _explained(demo):
        module = _load(demo)
        _use_one_thread()
        yield from module.run(**settings)


@contextmanager
def _explained(demo: Demo) -> Iterator[None]:
    """Whatever a demo raises, as a DemoRunError that says where."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise DemoRunError(f"demo {demo.name} {TORCH_MISSING}") from error
        raise DemoRunError(_what_failed(demo, error)) from error
    except (Exception, SystemExit) as error:
        raise DemoRunError(_what_failed(demo, error)) from error


def measures_of(demo: Demo, given: Mapping[str, Any], names: set[str]) -> dict[str, float]:
    """The named measures of one run, which stops as soon as it has yielded them all."""
    found: dict[str, float] = {}
    evidence = run(demo, given)
    try:
        for item in evidence:
            if isinstance(item, Measure) and item.name in names:
                found[item.name] = item.value
                if len(found) == len(names):
                    return found
    finally:
        evidence.close()
    missing = ", ".join(sorted(names - set(found)))
    raise DemoRunError(f"demo {demo.name} ended without the measure {missing}")


def claims_of(evidence: Iterator[Evidence]) -> dict[str, Claim]:
    """The claims of a whole run, by name."""
    return {item.name: item for item in evidence if isinstance(item, Claim)}


def load(demo: Demo) -> None:
    """Import a demo without running it. Raises DemoRunError where that fails."""
    with _explained(demo):
        _load(demo)
        _use_one_thread()


def _load(demo: Demo) -> ModuleType:
    """The demo as a module of its own; it must be known to `sys.modules` before it runs, or dataclasses fail."""
    name = f"dlquiz_demo_{demo.name}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(demo.path):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, demo.path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _use_one_thread() -> None:
    """Demos are small: a second thread does not help them, and one thread sums in one order."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def one_thread_environment() -> None:
    """Ask the linear algebra libraries for one thread; must come before NumPy is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Give Python's, NumPy's and torch's global generators back as they were."""
    state = random.getstate()
    restore: list[Callable[[], Any]] = [lambda: random.setstate(state)]
    if "numpy" in sys.modules:
        numpy = sys.modules["numpy"]
        numpy_state = numpy.random.get_state()
        restore.append(lambda: numpy.random.set_state(numpy_state))
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch_state = torch.get_rng_state()
        restore.append(lambda: torch.set_rng_state(torch_state))
    try:
        yield
    finally:
        for give_back in restore:
            give_back()


def _what_failed(demo: Demo, error: BaseException) -> str:
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(demo.path):
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f" (line {line} of {demo.path.name})" if line else ""
    first = (str(error).splitlines() or [""])[0]
    return f"demo {demo.name} failed{where}: {type(error).__name__}: {first}"
