"""`equiworld audits`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from equiworld.arguments import integer
from equiworld.commands.outcome import Outcome
from equiworld.errors import ArgumentError
from equiworld.files import check_folder, write_atomically
from equiworld.results import make_result, read_json, to_plain, write_json
from equiworld.verify.survey import WITHOUT_MODEL, Rows, mujoco_ids, page, survey, table

__all__ = ["Audits"]

QUICK_STARTS, QUICK_STEPS = 4, 5


@dataclass(frozen=True)
class Audits:
    """Which symmetries do MuJoCo environments and robots' files carry, to what, and what breaks them?

    Attributes:
        envs: ids of environments; all of Gymnasium's and Gymnasium-Robotics' that are installed, unless given or
            `robots` are.
        robots: XML files of robots.
        floor: whether robots whose file has no floor stand on one.
        out: folder for `audits.json` and `audits.md`.
        add: results of other runs, such as with another version of MuJoCo, whose rows come first, but for those that
            are measured again.
        note: words for the page on what was looked at.
        starts: states that simulations begin at.
        steps: of the simulator, from each.
        seed: of states and controls.
        quick: few states and steps.
    """

    envs: tuple[str, ...] = ()
    robots: tuple[Path, ...] = ()
    floor: bool = True
    out: Path = Path("runs/audits")
    add: tuple[Path, ...] = ()
    note: str = ""
    starts: int = 24
    steps: int = 30
    seed: int = 0
    quick: bool = False

    def run(self) -> Outcome:
        """Look at each, write result and page."""
        begin = perf_counter()
        integer("seed", self.seed, least=0)
        folder = check_folder("--out", self.out, ["audits.json", "audits.md"])
        rows = self._earlier()
        known = (*mujoco_ids(), *WITHOUT_MODEL)  # which also makes known those of Gymnasium-Robotics
        ids = self.envs or (() if self.robots or self.add else known)
        settings: dict[str, Any] = {"starts": self.starts, "steps": self.steps, "seed": self.seed}
        if self.quick:
            settings |= {"starts": min(QUICK_STARTS, self.starts), "steps": min(QUICK_STEPS, self.steps)}
        told = list[str]()
        rows += survey([*ids, *map(str, self.robots)], told.append, floor=self.floor, **settings)
        for row in rows:  # of files the end of their paths, which is the same anywhere
            row["name"] = (
                "/".join(Path(row["name"]).parts[-2:]) if row["name"].endswith(".xml") else row["name"]
            )
        rows = list({row["name"]: row for row in rows}.values())
        result = make_result("audits", settings, rows, perf_counter() - begin)
        path = write_json(folder / "audits.json", to_plain(result))
        text = write_atomically(folder / "audits.md", lambda file: file.write(page(rows, self.note).encode()))
        return Outcome("\n\n".join([*told, table(rows), str(path), str(text)]))

    def _earlier(self) -> Rows:
        rows = Rows()
        for path in self.add:
            found = read_json(path)
            if found["benchmark"] != "audits":
                raise ArgumentError(
                    "--add", f"a result of {found['benchmark']!r}", "results of `equiworld audits`"
                )
            rows += found["rows"]
        return rows
