"""What the site needs beyond `docs/`: the project's other documents, the reference, formulas as MathML."""

import ast
import inspect
import posixpath
import re
from html import unescape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File

import hieros_eqx

ROOT = Path(__file__).resolve().parents[1]
GUESTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")
PACKAGES = ("core", "config", "modules", "replay", "agent", "envs", "training", "report")
SHARED = "# types and errors\n\n::: hieros_eqx.types\n\n::: hieros_eqx.errors\n"
PICTURES = ("benchmarks/results/*.png",)
TARGET = r"\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)"
LINK = re.compile(rf"\[(?P<text>[^\[\]]*)\]{TARGET}")
END_OF_LINK = re.compile(rf"\]{TARGET}")  # of one whose text is a picture, too
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[\(\[](?P<tex>.*?)\\[\)\]]</(?P=tag)>', re.DOTALL
)


def on_files(files: Any, config: Any) -> Any:
    """Add documents and pictures that live outside of `docs/`, and a page of reference for each package."""
    for name in (*GUESTS, *(str(p.relative_to(ROOT)) for glob in PICTURES for p in sorted(ROOT.glob(glob)))):
        files.append(File.generated(config, place(name), abs_src_path=str(ROOT / name)))
    for name in PACKAGES:
        files.append(File.generated(config, f"api/{name}.md", content=reference(name)))
    files.append(File.generated(config, "api/types.md", content=SHARED))
    files.append(File.generated(config, "api/hieros_eqx.md", content=public_names()))
    return files


def public_names() -> str:
    """Return the page of what `import hieros_eqx` offers: one line each, with a link to the whole."""
    lines = ["# The public names", "What `import hieros_eqx` offers. Each is resolved when it is first used."]
    for name in hieros_eqx.__all__:
        value = getattr(hieros_eqx, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            where = f"{value.__module__}.{value.__qualname__}"
            says = (inspect.getdoc(value) or "").partition("\n")[0]
            lines.append(f"- [`{name}`][{where}]: {says}")
    return "\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:]) + "\n"


def reference(package: str) -> str:
    """Return the page of one package: what it says of itself, then all of its modules."""
    folder = ROOT / "hieros_eqx" / package
    says = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    paths = [path.relative_to(ROOT).with_suffix("") for path in sorted(folder.glob("**/[!_]*.py"))]
    modules = ["::: " + ".".join(path.parts) for path in paths]
    return "\n\n".join([f"# {package}", says or "", *modules]) + "\n"


def place(name: str) -> str:
    """Return where a file of the repository stands in the site."""
    return "index.md" if name == "README.md" else name.removeprefix("docs/")


def source(name: str) -> str:
    """Return which file of the repository a page of the site is."""
    if name == "index.md":
        return "README.md"
    return name if name in GUESTS else f"docs/{name}"


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Point links, which are right in the repository, to the same documents in the site.

    Links to what the site does not have (folders, the licence) become plain text.
    """
    here = source(page.file.src_uri)

    def target(link: re.Match[str]) -> str | None:
        there = place(posixpath.normpath(posixpath.join(posixpath.dirname(here), link["target"])))
        return there if files.get_file_from_path(there) is not None else None

    def plain(link: re.Match[str]) -> str:
        return link[0] if target(link) else link["text"]

    def rewritten(end: re.Match[str]) -> str:
        there = target(end)
        if there is None:
            return end[0]
        relative = posixpath.relpath(there, posixpath.dirname(page.file.src_uri) or ".")
        return f"]({relative}{end['anchor'] or ''})"

    parts = re.split(r"(^```.*?^```)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        part if i % 2 else END_OF_LINK.sub(rewritten, LINK.sub(plain, part)) for i, part in enumerate(parts)
    )


def on_post_page(output: str, **_: Any) -> str:
    """Turn formulas into MathML, which browsers show without a script."""

    def mathml(found: re.Match[str]) -> str:
        display = "block" if found["tag"] == "div" else "inline"
        return convert(unescape(found["tex"]), display=display)

    return FORMULA.sub(mathml, output)
