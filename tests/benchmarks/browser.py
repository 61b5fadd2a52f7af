"""Opens a page in headless Chromium and says what went wrong in it."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--virtual-time-budget=5000", "--dump-dom"]

# Runs before anything else of the page. What it finds stands in the document that the browser prints.
COLLECTOR = """<script>
{
  const errors = [];
  addEventListener("error", event => errors.push(String(event.message || event.target.outerHTML.slice(0, 80))), true);
  addEventListener("unhandledrejection", event => errors.push(String(event.reason)));
  const said = console.error;
  console.error = (...words) => { errors.push(words.join(" ")); said(...words); };
  addEventListener("load", () => {
    const images = [...document.images].map(image => [image.alt, image.complete, image.naturalWidth]);
    const sorted = [];
    for (const table of document.querySelectorAll("table")) {
      const heading = table.querySelectorAll("th")[1];
      if (!heading) continue;
      const column = () => [...table.tBodies[0].rows].map(row => row.cells[1].dataset.sort);
      heading.click(); const up = column(); heading.click(); sorted.push([up, column()]);
    }
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    document.documentElement.dataset.collected = JSON.stringify({errors, images, sorted, wide});
  });
}
</script>"""


def chromium() -> str:
    """Its path; a test without it is skipped, but fails under CI."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium: the page cannot be opened")
        pytest.skip("no Chromium")
    return found


def opened(page: Path) -> dict:
    """What the browser says of a page: `errors`, `images` (words, loaded, width), `sorted` columns, `wide` by [px]."""
    text = page.read_text()
    assert "<head>" in text
    watched = page.with_name(f"watched-{page.name}")
    watched.write_text(text.replace("<head>", f"<head>{COLLECTOR}", 1))
    # A profile's last files may be written after the browser has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            chromium(),
            *FLAGS,
            "--window-size=1200,900",
            f"--user-data-dir={profile}",
            watched.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-collected="([^"]*)"', done.stdout)
    assert found, f"the page did not load: {done.stderr[-500:]}"
    return json.loads(html.unescape(found[1]))
