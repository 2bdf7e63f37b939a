"""The tests test: every fault of the table is noticed. The table itself is checked in every run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations.table import MUTATIONS

ROOT = Path(__file__).parents[2]
NAMES = [m.name for m in MUTATIONS]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_a_mutation_applies_to_one_place(mutation):
    source = (ROOT / "hieros_eqx" / mutation.file).read_text(encoding="utf-8")
    assert source.count(mutation.old) == 1
    for test in mutation.tests.split():
        assert (ROOT / test.split("::")[0]).exists()


def run(folder, tests):
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTEST_ADDOPTS": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_a_mutation_is_killed(mutation, tmp_path):
    for name in ("hieros_eqx", "tests", "pyproject.toml"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    path = tmp_path / "hieros_eqx" / mutation.file
    path.write_text(path.read_text(encoding="utf-8").replace(mutation.old, mutation.new), encoding="utf-8")
    result = run(tmp_path, mutation.tests)
    assert result.returncode == 1, result.stdout[-2000:]  # 1: tests ran and some failed
    assert " failed" in result.stdout
    assert "error" not in result.stdout.splitlines()[-1]
