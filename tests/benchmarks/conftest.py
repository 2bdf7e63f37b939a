"""The benchmarks are scripts, not a package: their folder goes on the path while their tests run."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))  # before the test modules here import from it


@pytest.fixture(scope="session")
def folder():
    return FOLDER


@pytest.fixture(autouse=True)
def own_allocator(monkeypatch):
    """The benchmarks change how their process keeps memory; this process runs other tests, too."""
    monkeypatch.setattr("machine.keep_freed_memory", lambda: False)
