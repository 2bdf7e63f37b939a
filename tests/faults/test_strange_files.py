"""Runs from strangers, spoilt in every way, are at worst refused; nothing in them is ever unpickled."""

import json
import os
import pickle
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

import hieros_eqx
from hieros_eqx.errors import CheckpointError, HierosError
from hieros_eqx.training import checkpoint, load
from tests.faults import mutants, strangers
from tests.faults.running import Run, listing

COUNT = 300


@pytest.fixture(scope="module")
def base(finished, tmp_path_factory):
    """A run stopped between two log lines, with several files of every kind."""
    run = Run(finished.config, tmp_path_factory.mktemp("strangers") / "base")
    run.go_on(stop_after=27)
    assert run.steps == [48, 54]
    return run


@pytest.fixture
def surroundings(tmp_path):
    """A folder whose other contents no run may touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.bin").write_bytes(b"secret")
    (tmp_path / "case").mkdir()
    return tmp_path


def test_spoilt_files(base, surroundings):
    before = listing(base.path), listing(surroundings / "outside")
    x64 = {"JAX_ENABLE_X64": os.environ.get("JAX_ENABLE_X64", "0")}
    records = list(strangers.load_all(base.path, surroundings / "case", 0, COUNT, environment=x64))
    assert [record["number"] for record in records] == list(range(COUNT))
    assert not [record for record in records if record["wrong"]]
    kinds = Counter(record["outcomes"][0].partition(":")[0] for record in records)
    assert kinds["CheckpointError"] > COUNT / 2 and kinds["loaded"] > COUNT / 20, "both are tried"
    assert (listing(base.path), listing(surroundings / "outside")) == before
    assert sorted(path.name for path in surroundings.iterdir()) == ["case", "outside"]
    # those that load with values that no training gave them
    numbers = [r["number"] for r in records if r["outcomes"][0] == "loaded" and r["number"] % 2]
    for number in numbers[:6]:
        path = mutants.copy(base.path, surroundings / "case" / str(number), 54)
        mutants.spoil(path, number)
        try:
            Run(base.config, path).go_on(stop_after=2)
        except HierosError as error:
            assert "not finite" in str(error)


def spoilt(base, tmp_path) -> Run:
    return Run(base.config, mutants.copy(base.path, tmp_path / "run", 54))


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, DEEP) for name in ("config.json", "spaces.json", "run.json", "metrics.jsonl")),
        *(
            (name, "{" + f'"env_step": {DEEP}' + "}\n")
            for name in ("run.json", "metrics.jsonl", "episodes.jsonl")
        ),
        *((name, "9" * 5000) for name in ("config.json", "spaces.json", "run.json", "metrics.jsonl")),
        *((name, "\xff\xfe") for name in ("config.json", "spaces.json", "run.json", "metrics.jsonl")),
        ("episodes.jsonl", '{"env_step": 1}\n12\n'),
        ("metrics.jsonl", '{"env_step": 1,\r"x": 2}\n'),
        ("run.json", '{"resumed": 3}'),
        ("spaces.json", '{"observation": {"kind": "vector", "shape": [1e9]}, "action": {}}'),
    ],
)
def test_json_that_is_a_bomb(base, tmp_path, name, text):
    run = spoilt(base, tmp_path)
    (run.path / name).unlink()
    (run.path / name).write_text(text, encoding="latin-1")
    before = listing(run.path)
    with pytest.raises((CheckpointError, HierosError), match=re.escape(name)):
        run.go_on()
    after = listing(run.path)
    assert after | {".lock": None} == before | {".lock": None}


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        ".lock",
        "metrics.jsonl",
        "run.json",
        "checkpoints",
        "agents",
        "agents/seed_0/checkpoints",
    ],
)
def test_links_are_not_followed(base, tmp_path, name):
    """Else training would write to where a stranger points, and delete old "checkpoints" there."""
    run, outside = spoilt(base, tmp_path), tmp_path / "outside"
    shutil.copytree(base.checkpoints, outside / "checkpoints")
    (outside / "notes").write_text("mine")
    target = run.path / name
    if target.is_dir():
        shutil.rmtree(target)
        target.symlink_to(outside / "checkpoints")
    else:
        target.unlink(missing_ok=True)
        target.symlink_to(outside / "notes")
    before = listing(outside)
    with pytest.raises(CheckpointError, match=r"got something else\. Links are not followed"):
        run.go_on()
    assert listing(outside) == before


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../../../outside.bin", "replay/../manifest.json", "replay/none.bin"]
)
def test_files_named_outside_the_manifest_are_not_opened(base, tmp_path, name):
    run = spoilt(base, tmp_path)
    folder = run.checkpoints / "54"
    body = json.loads((folder / "manifest.json").read_text())
    body["content"]["rings"][0]["entries"][0]["file"] = name
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").write_text(json.dumps(body))
    mutants.reseal(folder)
    with pytest.raises(
        CheckpointError, match=f"wanted files of the manifest, each once, got .*{re.escape(name)}"
    ):
        run.go_on()


def test_a_pickle_in_the_place_of_every_file_does_nothing(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in [path for path in base.path.rglob("*") if path.is_file()]:
        run = spoilt(base, tmp_path)
        own = run.path / file.relative_to(base.path)
        if own.exists():
            own.unlink()
            own.write_bytes(pickle.dumps(mutants.Bomb()))
            mutants.reseal(run.checkpoints / "54")
            for act in (
                lambda own=run: checkpoint.newest_whole(own.checkpoints),
                lambda own=run: load(own.path),
            ):
                try:
                    act()
                except HierosError:
                    continue
        shutil.rmtree(run.path)
    assert not (tmp_path / "unpickled").exists()
    pickle.loads(pickle.dumps(mutants.Bomb()))
    assert (tmp_path / "unpickled").exists(), "the bomb is one"


def test_nothing_in_the_package_unpickles_or_evaluates():
    forbidden = re.compile(
        r"\bpickle|\bmarshal\b|\bshelve\b|\bdill\b|joblib|allow_pickle|\beval\(|\bexec\(|np\.load\(|yaml"
    )
    root = Path(hieros_eqx.__file__).parent
    sources = [*root.rglob("*.py"), *(root.parent / "cli").rglob("*.py")]
    assert len(sources) > 100
    assert not [
        f"{path.name}: {line.strip()}"
        for path in sources
        for line in path.read_text(encoding="utf-8").splitlines()
        if forbidden.search(line) and not line.lstrip().startswith(('"""', "#")) and "unpickled" not in line
    ]
