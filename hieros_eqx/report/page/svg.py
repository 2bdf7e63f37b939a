"""Matplotlib figures as SVG that stands inside a page: its colours, its fonts, and no id twice.

Matplotlib draws with placeholder colours, which become `currentColor` and the CSS variables `--series-0` to
`--series-7`: one drawing is right in a light and in a dark theme. Text stays text, in the font of the page.
"""

import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

INK = "#010203"
"""Placeholder of the page's text colour."""
SERIES = tuple(f"#f0f00{i}" for i in range(8))
"""Placeholders of the page's colours of series."""
FONT_SIZE = 11
MARGINS = (62, 36, 12, 8)
"""CSS pixels left, below, right and above the axes. Charts below each other align, for all have the same."""
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.size": FONT_SIZE,
    "font.family": "DejaVu Sans",  # which Matplotlib brings; the page's own is hardly wider
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
}
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_PLACES = re.compile(r' (?:d|x|y|width|height|transform)="[^"]*"')
_NUMBER = re.compile(r"-?\d+\.\d{2,}")


def draw_svg(draw: Callable[[Any], None], width: int, height: int, label: str) -> str:
    """Return what `draw` puts on Matplotlib axes of that many CSS pixels, as one `<svg>` element.

    It scales with its container. `label` is what a screen reader says. Equal drawings give equal text.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    salt = hashlib.sha256(label.encode()).hexdigest()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": salt}):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        left, bottom, right, top = MARGINS
        ax = figure.add_axes(
            (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
        )
        ax.set_facecolor("none")
        draw(ax)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=_METADATA, transparent=True)
    return _inline(buffer.getvalue(), label)


def _inline(text: str, label: str) -> str:
    """Strip what only a file needs, and let the page decide colours, fonts and size."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(|href=\")#([\w.-]+)", text))
    text = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r" ?font-family: [^;\"]*;?", "", text)
    text = re.sub(r" transform=\"rotate\(-?0(\.0+)? [^)]*\)\"", "", text)
    text = text.replace(INK, "currentColor")
    for number, color in enumerate(SERIES):
        text = text.replace(color, f"var(--series-{number})")
    text = _PLACES.sub(lambda found: _NUMBER.sub(_to_tenths, found[0]), text)
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None
    head = f'<svg viewBox="{box[1]}" role="img" aria-label="{_escape(label)}">'
    text = head + text[text.index(">") + 1 :]
    text = re.sub(r"<g>\s*</g>", "", text)
    return re.sub(r"\s*\n\s*", " ", text).replace("> <", "><").strip()


def number_ids(svg: str, prefix: str) -> str:
    """Return a drawing with its ids called `prefix` and a number, so that no two of a page are the same."""
    names = {name: f"{prefix}{i}" for i, name in enumerate(re.findall(r' id="([\w.-]+)"', svg))}

    def renamed(found: re.Match[str]) -> str:
        return found[1] + names.get(found[2], found[2])

    return re.sub(r'( id="|url\(#|href="#)([\w.-]+)', renamed, svg)


def _to_tenths(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _escape(text: str) -> str:
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), ('"', "&quot;")):
        text = text.replace(sign, name)
    return text
