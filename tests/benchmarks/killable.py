"""A question whose cells share what takes a while, and a run that answers it: for tests that kill."""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure
from equiworld.benchmarks.suite.run import Run, run


@dataclass(frozen=True)
class Killable(Question):
    """Digests of an artefact that is written in pieces, one artefact for two arms.

    Attributes:
        pieces: of an artefact.
        pause: before each [s]; no row depends on it.
    """

    pieces: int = 5
    pause: float = 0.05

    name: ClassVar[str] = "killable"
    title: ClassVar[str] = "Is it the same after all?"
    worlds: ClassVar = ("a", "b", "c")
    arms: ClassVar = ("x", "y")
    seeds: ClassVar[int] = 2
    choosing: ClassVar = ("pause",)
    measures: ClassVar = {"digest": Measure("", "of the artefact"), "size": Measure("1", "of the artefact")}

    def measure(self, cell, store):
        def make(folder: Path) -> None:
            for piece in range(self.pieces):
                time.sleep(self.pause)
                path = folder / f"{piece}.txt"
                if not path.exists():  # it goes on with what was left, if that is whole
                    part = path.with_suffix(".part")
                    part.write_text(f"{cell.world} {cell.seed} {piece}\n" * 1000)
                    part.rename(path)

        inputs = {"world": cell.world, "seed": cell.seed, "pieces": self.pieces}
        folder = store.artefact("things", f"{cell.world}-{cell.seed}", inputs, (__name__,), make)
        content = b"".join(path.read_bytes() for path in sorted(folder.glob("*.txt")))
        time.sleep(self.pause)
        digest = hashlib.sha256(content + cell.arm.encode()).hexdigest()
        return [{"digest": digest, "size": len(content)}]


if __name__ == "__main__":
    from killable import Killable as Imported  # by the name under which workers find it

    out, backend = sys.argv[1:]
    run([Imported()], Run(Path(out), jobs=2, backend=backend, progress=False))  # type: ignore[arg-type]
