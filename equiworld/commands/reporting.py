"""`equiworld report`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from equiworld.benchmarks.suite.report import write_report
from equiworld.commands.outcome import Outcome
from equiworld.files import check_folder

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """What benchmarks found, as one page that needs nothing else, and as Markdown with pictures beside it.

    Attributes:
        folder: that `equiworld bench` wrote to.
        merge: further such folders, of other machines say; they are read, not copied.
        earlier: a result file of earlier figures, shown beside the new ones.
        out: the page; `report.html` in the folder by default.
        markdown: likewise `report.md`; its pictures go to a folder of its own name beside it.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    merge: tuple[Path, ...] = ()
    earlier: Path | None = None
    out: Path | None = None
    markdown: Path | None = None

    def run(self) -> Outcome:
        """Read the rows, write page and Markdown."""
        out, markdown = self.out or self.folder / "report.html", self.markdown or self.folder / "report.md"
        for argument, given, path in (("--out", self.out, out), ("--markdown", self.markdown, markdown)):
            check_folder(argument if given else "DIR", path.absolute().parent, [path.absolute().name])
        page = write_report(self.folder, merge=self.merge, earlier=self.earlier, out=out, markdown=markdown)
        return Outcome(f"{page}\n{markdown}")
