"""Ten demos run in one session, one after the other: memory of the session and of its worker before and after.

`python tests/bench/memory.py` (Linux: it reads /proc).
"""

from __future__ import annotations

from pathlib import Path

from quizcli.lab.catalog import Catalog
from quizcli.lab.chart import Paper
from quizcli.lab.laboratory import Laboratory

ROOT = Path(__file__).resolve().parent.parent.parent
DEMOS = (
    "lstm",
    "cnn",
    "dropout",
    "softmax",
    "backprop",
    "overfitting",
    "init_schemes",
    "vanishing_gradients",
    "xor",
    "autoencoder",
)


def main() -> None:
    catalog = Catalog(ROOT / "demos")
    names = [name for name in DEMOS if name in catalog.names]
    names += [name for name in catalog.names if name not in names][: 10 - len(names)]
    laboratory = Laboratory(catalog)
    try:
        for name in names:
            list(laboratory.run(name, {}, Paper()))
            worker = laboratory._worker
            assert worker is not None
            print(f"{name:20} session {megabytes('self'):6.1f} MB   worker {megabytes(str(worker.pid)):6.1f} MB")
    finally:
        laboratory.close()


def megabytes(process: str) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{process}/status has no VmRSS")


if __name__ == "__main__":
    main()
