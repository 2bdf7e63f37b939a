"""The code in the documents runs. A block after `<!-- not run: reason -->` is left out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^(?P<before>[^\n]*)\n```(?P<language>python|console)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL
)
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])


def blocks(language):
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            if found["language"] == language and not found["before"].startswith("<!-- not run:"):
                line = text[: found.start("code")].count("\n") + 1
                yield pytest.param(found["code"], id=f"{document.relative_to(ROOT)}:{line}")


def run(command, tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HIEROS_EQX_")}
    environment |= {
        "JAX_PLATFORMS": "cpu",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("code", [*blocks("python")])
def test_python(code, tmp_path):
    run([sys.executable, "-c", code], tmp_path)


@pytest.mark.parametrize("code", [*blocks("console")])
def test_console(code, tmp_path):
    run(["bash", "-euo", "pipefail", "-c", code], tmp_path)


def test_the_second_command_of_the_readme_is_what_ci_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```console\n(python3 -m venv .*)\n```", text)
    assert "hieros-eqx train --game PrivateEye" in first
    assert second in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
