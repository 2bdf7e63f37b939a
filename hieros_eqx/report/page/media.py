"""Videos and pictures inside the page, as data URIs, with the names of their rows and columns beside them."""

import base64
from collections.abc import Sequence
from html import escape


def video_html(
    data: bytes, size: tuple[int, int], rows: Sequence[str], columns: Sequence[str], label: str
) -> str:
    """Return an MP4 that plays in a loop when asked to, with names of its rows and columns."""
    uri = base64.b64encode(data).decode("ascii")
    body = (
        f'<video controls loop muted playsinline preload="metadata" width="{size[0]}" height="{size[1]}" '
        f'aria-label="{escape(label)}" src="data:video/mp4;base64,{uri}"></video>'
    )
    return _with_names(body, rows, columns)


def picture_html(
    data: bytes, size: tuple[int, int], rows: Sequence[str], columns: Sequence[str], label: str
) -> str:
    """Return a PNG with names of its rows and columns."""
    uri = base64.b64encode(data).decode("ascii")
    body = (
        f'<img width="{size[0]}" height="{size[1]}" alt="{escape(label)}" src="data:image/png;base64,{uri}">'
    )
    return _with_names(body, rows, columns)


def _with_names(body: str, rows: Sequence[str], columns: Sequence[str]) -> str:
    parts = [_names("columns-of", columns), _names("rows-of", rows), f'<div class="film">{body}</div>']
    return f'<div class="filmstrip{"" if rows else " plain"}">{"".join(parts)}</div>'


def _names(kind: str, names: Sequence[str]) -> str:
    spans = "".join(f"<span>{escape(name)}</span>" for name in names)
    return f'<div class="{kind}">{spans}</div>' if names else ""
