"""A browser without a window: what it says, measures and shows of a page on disk."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
)
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
MEASURE = """
<script>
const boxes = [...document.querySelectorAll('figure')].map(figure => {
  const shown = [...figure.querySelectorAll('svg, img, video')].map(x => x.getBoundingClientRect())
    .filter(box => box.width > 0);
  const svg = [...figure.querySelectorAll('svg')].find(x => x.getBoundingClientRect().width > 0);
  return {
    title: figure.querySelector('figcaption').textContent,
    width: Math.max(0, ...shown.map(box => box.width)),
    height: Math.max(0, ...shown.map(box => box.height)),
    marks: svg ? svg.querySelectorAll('path').length : null,
    drawn: svg ? Math.max(...[...svg.querySelectorAll('path')].map(x => x.getBBox().width)) : null,
    loaded: [...figure.querySelectorAll('img')].every(x => x.complete && x.naturalWidth > 0),
  };
});
const overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
parent.postMessage(JSON.stringify({boxes, overflow, width: innerWidth}), '*');
</script>
"""
FRAME = """<!doctype html><pre id="measured"></pre>
<script>onmessage = event => { document.getElementById('measured').textContent = event.data; }</script>
<iframe src="measured.html" style="border: 0; width: WIDTHpx; height: 900px"></iframe>
"""  # in a frame, for a window cannot be narrower than 500 pixels


def program():
    """Return the path of a browser, or None."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def call(page: Path, tmp_path, width, height, *options):
    """Return what a browser writes to its output and its log when it opens a page."""
    arguments = [
        program(),
        *OPTIONS,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},{height}",
    ]
    done = subprocess.run(
        [*arguments, *options, page.resolve().as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, done.stderr


def console(page: Path, tmp_path):
    """Return the lines that a page writes to the console, errors among them."""
    _, log = call(page, tmp_path, 1200, 900, "--dump-dom")
    return [line for line in log.splitlines() if "CONSOLE" in line]


def measure(page: Path, tmp_path, width):
    """Return the boxes of all figures at a width, by a script in a copy of the page, and what overflows."""
    copy = tmp_path / "measured.html"
    text, replaced = POLICY.subn("", page.read_text(encoding="utf-8"))
    assert replaced == 1
    copy.write_text(text.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    dom, _ = call(frame, tmp_path, width + 100, 1000, "--dump-dom", "--virtual-time-budget=10000")
    found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
    return json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def screenshot(page: Path, tmp_path, width, height, *, dark=False):
    """Return what is seen, as uint8 pixels [height width 3]."""
    file = tmp_path / "seen.png"
    theme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    call(page, tmp_path, width, height, f"--screenshot={file}", *theme)
    return np.array(Image.open(file).convert("RGB"))
