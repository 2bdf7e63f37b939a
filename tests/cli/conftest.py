import os
from types import SimpleNamespace

import pytest
from click.testing import CliRunner


@pytest.fixture(autouse=True)
def empty_directory(monkeypatch, tmp_path):
    """Each test runs in an empty directory and without variables of ours."""
    for name in [name for name in os.environ if name.startswith("HIEROS_EQX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run():
    """Call the command line in this process; the result has `code`, `out` and `err`."""
    from hieros_eqx_cli.main import main

    def call(*args, **variables):
        result = CliRunner().invoke(main, [str(a) for a in args], env=variables, prog_name="hieros-eqx")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)

    return call


@pytest.fixture
def refused(run, empty_directory):
    """Call the command line, expect one line of error, exit code 2 and nothing written; return the line."""

    def snapshot():
        files = (path for path in sorted(empty_directory.rglob("*")) if "__pycache__" not in path.parts)
        return [(path, path.read_bytes() if path.is_file() else None) for path in files]

    def call(*args, **variables):
        before = snapshot()
        result = run(*args, **variables)
        assert result.code == 2, result
        assert result.out == ""
        (line,) = result.err.splitlines()
        assert line.startswith("error: ")
        assert snapshot() == before
        return line.removeprefix("error: ")

    return call
