"""Running a demo in this process, without a trace."""

from __future__ import annotations

import os
import random
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import numpy as np
import pytest

from quizcli.errors import UsageError
from quizcli.lab import runner
from quizcli.lab.catalog import Catalog, Demo, describe
from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress
from quizcli.lab.runner import DemoRunError, claims_of, measures_of
from tests.banks import DEMOS

BODY = """    random.seed(seed)
"""


def made(folder: Path, body: str, top: str = "") -> Demo:
    """The fixture's demo on averaging with another beginning of `run`."""
    text = (DEMOS / "averaging.py").read_text(encoding="utf-8")
    path = folder / f"{folder.name.replace('-', '_')}.py"
    path.write_text(text.replace(BODY, body).replace("import math\n", f"import math\n{top}"), encoding="utf-8")
    return describe(path)


def values(evidence: list[Evidence]) -> dict[str, float]:
    return {item.name: item.value for item in evidence if isinstance(item, Measure)}


def test_evidence_comes_in_the_order_it_is_yielded(catalog: Catalog) -> None:
    kinds = [type(item) for item in runner.run(catalog.find("averaging"), {})]
    assert kinds == [Progress, Progress, Plot, Image, Measure, Claim, Claim]


def test_evidence_comes_as_soon_as_it_is_yielded(tmp_path: Path) -> None:
    demo = made(tmp_path, "    yield Measure('scaled-spread', 1.0)\n    raise RuntimeError('too late')\n")
    evidence = runner.run(demo, {})
    assert next(evidence) == Measure("scaled-spread", 1.0)
    with pytest.raises(DemoRunError, match="RuntimeError: too late"):
        next(evidence)


def test_settings_reach_the_demo(catalog: Catalog) -> None:
    demo = catalog.find("conv_shape")
    for settings in ({"kernel": 5}, {"kernel": 5, "stride": 2, "padding": 0}, {"size": 64, "stride": 4}):
        full = {"size": 28, "kernel": 3, "stride": 1, "padding": 1, **settings}
        places = range(0, full["size"] + 2 * full["padding"] - full["kernel"] + 1, full["stride"])
        assert values(list(runner.run(demo, settings)))["output-size"] == len(places)


@pytest.mark.parametrize("settings", [{"kernels": 3}, {"kernel": 99}, {"kernel": "3"}])
def test_a_setting_that_is_not_allowed_is_refused_before_anything_runs(
    catalog: Catalog, settings: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        runner.run(catalog.find("conv_shape"), settings)


def test_the_same_seed_gives_the_same_evidence(catalog: Catalog) -> None:
    demo = catalog.find("averaging")
    assert list(runner.run(demo, {"seed": 3})) == list(runner.run(demo, {"seed": 3}))
    assert values(list(runner.run(demo, {"seed": 3}))) != values(list(runner.run(demo, {"seed": 4})))


def test_the_global_generators_are_given_back(tmp_path: Path) -> None:
    demo = made(tmp_path, "    np.random.seed(seed)\n    random.seed(seed)\n", "import numpy as np\n")
    random.seed(11)
    np.random.seed(11)
    wanted = (random.random(), np.random.random())
    random.seed(11)
    np.random.seed(11)
    list(runner.run(demo, {}))
    assert (random.random(), np.random.random()) == wanted


@pytest.mark.parametrize("how", ["closed", "raised"])
def test_the_generators_are_given_back_when_a_run_is_cut_short(tmp_path: Path, how: str) -> None:
    demo = made(tmp_path, "    random.seed(seed)\n    yield Progress(0, 1)\n    raise RuntimeError\n")
    state = random.getstate()
    evidence = runner.run(demo, {})
    next(evidence)
    if how == "closed":
        evidence.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(DemoRunError):
            next(evidence)
    assert random.getstate() == state


def test_a_demo_does_not_see_the_state_of_the_generators(catalog: Catalog) -> None:
    demo = catalog.find("averaging")
    first = list(runner.run(demo, {}))
    random.random()
    assert list(runner.run(demo, {})) == first


def test_a_demo_that_raises_is_an_error_with_its_line(tmp_path: Path) -> None:
    demo = made(tmp_path, "    random.seed(seed)\n    raise ValueError('no luck\\nmore words')\n")
    line = demo.source.splitlines().index("    raise ValueError('no luck\\nmore words')") + 1
    with pytest.raises(DemoRunError) as caught:
        list(runner.run(demo, {}))
    assert str(caught.value) == f"demo {demo.name} failed (line {line} of {demo.path.name}): ValueError: no luck"
    assert isinstance(caught.value.__cause__, ValueError)


def test_evidence_that_is_wrong_is_an_error_of_the_demo(tmp_path: Path) -> None:
    demo = made(tmp_path, "    yield Measure('scaled-spread', math.nan)\n")
    with pytest.raises(DemoRunError, match="measure scaled-spread is nan"):
        list(runner.run(demo, {}))


@pytest.mark.parametrize("top", ["raise RuntimeError('at import')\n", "import no_such_package\n", "x = 1 / 0\n"])
def test_a_demo_that_cannot_be_imported_is_an_error(tmp_path: Path, top: str) -> None:
    demo = made(tmp_path, BODY, top)
    for _ in range(2):
        with pytest.raises(DemoRunError, match=f"demo {demo.name} failed"):
            list(runner.run(demo, {}))
    assert not [name for name in sys.modules if demo.name in name]


class NoTorch(MetaPathFinder):
    """An installation without torch."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


def test_missing_torch_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = made(tmp_path, BODY, "import torch\n")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoTorch(), *sys.meta_path])
    with pytest.raises(DemoRunError, match=r"needs torch, .*pip install"):
        list(runner.run(demo, {}))


def test_a_demo_that_leaves_the_process_is_an_error(tmp_path: Path) -> None:
    demo = made(tmp_path, "    raise SystemExit(3)\n")
    with pytest.raises(DemoRunError):
        list(runner.run(demo, {}))


def test_ctrl_c_is_no_error_of_the_demo(tmp_path: Path) -> None:
    demo = made(tmp_path, "    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        list(runner.run(demo, {}))


def test_a_demo_with_dataclasses_can_be_run(tmp_path: Path) -> None:
    # With postponed annotations a dataclass looks its module up in `sys.modules`.
    made(tmp_path, "    assert Point(1).x == 1\n    random.seed(seed)\n")
    path = next(tmp_path.glob("*.py"))
    top = "from __future__ import annotations\n\nfrom dataclasses import dataclass\n\nimport math\n"
    text = path.read_text(encoding="utf-8").replace("import math\n", top, 1)
    path.write_text(
        text.replace("\ndef run(", "\n@dataclass\nclass Point:\n    x: int\n\n\ndef run("), encoding="utf-8"
    )
    assert "scaled-spread" in values(list(runner.run(describe(path), {})))


def test_a_run_for_measures_stops_when_it_has_them(tmp_path: Path) -> None:
    demo = made(tmp_path, "    yield Measure('scaled-spread', 2.5)\n    raise RuntimeError('went on')\n")
    assert measures_of(demo, {}, {"scaled-spread"}) == {"scaled-spread": 2.5}


def test_only_the_wanted_measures_are_given(catalog: Catalog) -> None:
    assert measures_of(catalog.find("conv_shape"), {"kernel": 5}, {"no-padding"}) == {"no-padding": 24.0}


def test_a_measure_that_never_comes_is_named(catalog: Catalog) -> None:
    with pytest.raises(DemoRunError, match=r"ended without the measure nothing, x$"):
        measures_of(catalog.find("conv_shape"), {}, {"output-size", "x", "nothing"})


def test_claims_are_collected_by_name(catalog: Catalog) -> None:
    claims = claims_of(runner.run(catalog.find("averaging"), {"mistake": "sum"}))
    assert list(claims) == ["root-n", "centered"]
    assert not claims["root-n"].holds


def test_the_environment_asks_for_one_thread_and_keeps_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    runner.one_thread_environment()
    assert [os.environ[name] for name in names] == ["2", "1", "1"]
