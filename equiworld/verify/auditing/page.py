"""One page of an audit: HTML that needs no other file."""

from __future__ import annotations

import base64
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from equiworld.files import write_atomically
from equiworld.results import versions

__all__ = ["write_page"]


def write_page(path: str | os.PathLike[str], audit: Any) -> Path:
    """Write it, whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        picture = audit.plot(Path(folder) / "audit.png").read_bytes()
    text = _template().render(
        audit=audit,
        picture=base64.b64encode(picture).decode(),
        versions=versions(),
        config=dict(audit.config),
    )
    return write_atomically(path, lambda file: file.write(text.encode()))


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("equiworld.verify.auditing", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "audit.html.jinja"
    )
