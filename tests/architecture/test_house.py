"""The house stays as docs/architecture.md describes it."""

import ast
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("hieros_eqx/**/*.py"), *ROOT.glob("cli/**/*.py")])
IDS = [str(path.relative_to(ROOT)) for path in SOURCES]
LONGEST = 300


def test_imports_point_down():
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_a_file_is_short_says_what_it_is_and_documents_what_is_public(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the first line names the station"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        assert ast.get_docstring(node), node.name
        if isinstance(node, ast.ClassDef):
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
            undocumented = [method.name for method in methods if not ast.get_docstring(method)]
            assert not undocumented, (node.name, undocumented)


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_a_file_prints_nothing_and_postpones_no_annotation(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Name) and node.id == "print"), node.lineno
        assert not (isinstance(node, ast.ImportFrom) and node.module == "__future__"), node.lineno
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
            if ast.unparse(node.type) in ("Exception", "BaseException"):
                assert isinstance(node.body[-1], ast.Raise), f"line {node.lineno}: swallows everything"


def test_every_public_name_exists_and_is_listed_once():
    import hieros_eqx

    assert sorted(set(hieros_eqx.__all__)) == sorted(hieros_eqx.__all__)
    for name in hieros_eqx.__all__:
        assert getattr(hieros_eqx, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        hieros_eqx.no_such_name  # noqa: B018


def test_the_tree_in_the_docs_names_the_folders_and_files_that_exist():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = re.search(r"^## Tree\n.*?```\n(.*?)```", text, re.MULTILINE | re.DOTALL)[1]
    described = dict(re.findall(r"^  (\w+)/ +(.*)$", tree, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("hieros_eqx/*/__init__.py")}
    assert set(described) == packages
    for package in packages:
        files = {path.stem for path in ROOT.glob(f"hieros_eqx/{package}/*.py")} - {"__init__"}
        words = set(re.findall(r"\w+", described[package]))
        assert files & words, package
    for name in re.findall(r"^(\w+)/ ", tree, re.MULTILINE):
        assert (ROOT / name).is_dir(), name


def test_every_package_is_installed_checked_and_typed():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    inits = [path.relative_to(ROOT).parent for path in ROOT.glob("hieros_eqx/**/__init__.py")]
    listed = set(re.findall(r'^  "(hieros_eqx(?:\.\w+)*)",$', text, re.MULTILINE))
    assert listed == {".".join(path.parts) for path in inits}
    packages = {path.parts[1] for path in inits if len(path.parts) > 1}
    hooked = set(re.findall(r"hieros_eqx\.(\w+)", re.search(r"--jaxtyping-packages=(\S+)", text)[1]))
    assert hooked == packages - {"config"}
    assert (ROOT / "hieros_eqx" / "py.typed").exists()


def test_the_distribution_installs_two_packages_and_one_program():
    installed = distribution("hieros-eqx")
    top = (installed.read_text("top_level.txt") or "").split()
    assert sorted(top) == ["hieros_eqx", "hieros_eqx_cli"]
    programs = [entry.name for entry in installed.entry_points if entry.group == "console_scripts"]
    assert programs == ["hieros-eqx"]
    assert installed.metadata["License-Expression"] == "MIT"
    assert installed.metadata["Requires-Python"] == ">=3.11"
    import hieros_eqx

    assert installed.version == hieros_eqx.__version__


def test_the_core_imports_without_jax():
    code = (
        "import sys; sys.modules['jax'] = None\n"
        "import hieros_eqx, hieros_eqx.core.ssm, hieros_eqx.core.etbs, hieros_eqx.config, hieros_eqx.envs\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_project_names_no_machine():
    """Nothing that is tracked points outside of the project."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split("\n"):
        path = ROOT / name
        if (
            path.suffix not in (".py", ".md", ".toml", ".ini", ".yaml", ".json", ".jsonl")
            or not path.exists()
        ):
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.search(r"(?<![\w.])/(root|home|work|tmp)/\w", line), f"{name}: {line.strip()[:200]}"
