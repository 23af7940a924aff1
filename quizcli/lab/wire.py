"""Evidence as JSON: what a session and its worker send each other, and what `--json` prints."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Table, Text

NOT_NEEDED = 75
"""The exit code of a worker that ended because nothing was asked of it for long."""

_TYPES: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Text, Table, Plot, Image, Progress, Measure, Claim)
}


def to_data(item: Evidence) -> dict[str, Any]:
    """A piece of evidence as a mapping that JSON can hold; numbers that are not finite become their names."""
    data = {"type": type(item).__name__.lower(), **dataclasses.asdict(item)}
    if isinstance(item, Claim):
        data = {key: value for key, value in data.items() if value is not None}
        data |= {"holds": item.holds, "bound": item.bound}
    if isinstance(item, Table):
        data["rows"] = [[_cell(cell) for cell in row] for row in item.rows]
    finite: dict[str, Any] = _finite(data)
    return finite


def from_data(data: dict[str, Any]) -> Evidence:
    """The evidence that `to_data` came from."""
    kind = _TYPES[data["type"]]
    names = {field.name for field in dataclasses.fields(kind)}
    known = {
        name: tuple(value) if name in ("between", "near") else value for name, value in data.items() if name in names
    }
    if kind is Table:
        known["rows"] = [
            [float(cell["number"]) if isinstance(cell, dict) else cell for cell in row] for row in data["rows"]
        ]
    item: Evidence = kind(**known)
    return item


def dumps(data: Any) -> str:
    """One line of strict JSON, in ASCII: it survives every encoding on its way."""
    return json.dumps(data, allow_nan=False)


def _cell(cell: str | float) -> str | float | dict[str, str]:
    """A table may hold the word "nan" as well as the number: the number is told apart."""
    return {"number": str(cell)} if isinstance(cell, float) and not math.isfinite(cell) else cell


def _finite(value: Any) -> Any:
    """`nan`, `inf` and `-inf` as strings: strict JSON has no such numbers, and `float()` reads them back."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
