"""Fixtures that all tests share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from quizcli.bank import parse as parse_module
from quizcli.bank.parse import ParsedTopic, parse_topic
from quizcli.lab.catalog import Catalog
from tests.banks import DEMOS, Bank
from tests.learners import SWIFT, Answer, simulate

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "dlquiz-hypothesis")
settings.register_profile("dlquiz", deadline=None, max_examples=60, database=None, derandomize=True)
settings.register_profile("wide", deadline=None, max_examples=1000, database=None)
settings.load_profile(os.environ.get("DLQUIZ_HYPOTHESIS", "dlquiz"))


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    """A fresh copy of the fixture bank."""
    copy = Bank.copied_to(tmp_path)
    yield copy
    copy.close()


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The demos of the fixture bank."""
    return Catalog(DEMOS)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the topics that are parsed while a test runs."""
    names: list[str] = []

    def counting(path: Path, shown: str) -> ParsedTopic:
        names.append(path.stem)
        return parse_topic(path, shown)

    monkeypatch.setattr(parse_module, "parse_topic", counting)
    return names


@pytest.fixture(scope="session")
def swift() -> list[Answer]:
    """A learner whom the defaults describe badly."""
    return simulate(SWIFT, 2_500, seed=1)
