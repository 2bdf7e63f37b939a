"""Links between documents lead somewhere, anchors included; files that documents name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])
OF_A_RUN = ("runs/", "checkpoints/", "agents/", "tensorboard/", "seed_N/", "pictures/", "episode/")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def names(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_links(document):
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{target}: no such file"
        assert path.is_relative_to(ROOT), f"{target}: outside the project"
        assert not anchor or anchor in anchors(path), f"{target}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_files_that_are_named_exist(document):
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    folders = (ROOT, ROOT / "hieros_eqx", document.parent)
    for name in re.findall(r"`((?:[\w.]+/)+[\w.]*)`", text):
        if name.startswith((".venv/", "benchmarks/results", "results/", *OF_A_RUN)) or "..." in name:
            continue
        assert any((folder / name).exists() for folder in folders), f"`{name}`: no such file"


def test_every_document_can_be_reached_from_the_readme():
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        document = todo.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        links = re.findall(r"\]\(([^)\s#]+)", FENCE.sub("", document.read_text(encoding="utf-8")))
        todo += [(document.parent / link).resolve() for link in links if not re.match(r"[a-z]+:", link)]
    missing = {path for path in DOCUMENTS if path.is_relative_to(ROOT / "docs")} - reached
    assert not missing, names(missing)
