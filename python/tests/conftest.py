"""What the tests share: a small store in a directory of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import wisen

EAST = [1.0, 0.0, 0.0, 0.0]
NORTH = [0.0, 1.0, 0.0, 0.0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be created."""
    return tmp_path / "store"


@pytest.fixture
def store(path: Path) -> Iterator[wisen.Store]:
    """An open, empty store of vectors with 4 numbers."""
    with wisen.open(path, dimension=4) as opened:
        yield opened


@pytest.fixture
def east() -> list[float]:
    return list(EAST)


@pytest.fixture
def north() -> list[float]:
    return list(NORTH)
