"""Everything that was made, each under a readable name and a hash of every input that it was made from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.sources import sources_digest
from equiworld.devices import processor_name
from equiworld.files import check_folder, write_atomically
from equiworld.results import make_result, read_json, to_plain, versions, write_json

__all__ = ["Inputs", "Store", "key_of"]

Inputs = Mapping[str, Any]
"""All that a result depends on: settings, data, seed, definitions; versions and sources are added here."""


def key_of(inputs: Inputs) -> str:
    """The hash of inputs, whatever the order of their names.

    >>> key_of({"seed": 0, "steps": 1}) == key_of({"steps": 1, "seed": 0}) != key_of({"steps": 1, "seed": 1})
    True
    """
    text = json.dumps(to_plain(dict(inputs), allow_nonfinite=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Store:
    """A folder of rows and artefacts that any number of processes share.

    A name is never written by two workers at once, on one machine or, where the file system locks across machines, on
    several. A worker that is killed lets go of its names, and what it had begun is gone on with or made again.

    Args:
        folder: made if it is missing.

    Raises:
        ArgumentError: the folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = check_folder("--out", folder).resolve()  # workers may stand elsewhere

    def rows(
        self, cell: Cell, inputs: Inputs, modules: Sequence[str], measure: Callable[[], list[Row]]
    ) -> list[Row]:
        """The rows of a cell, measured now if nobody has measured them with these inputs.

        Args:
            cell: of a question.
            inputs: all that its rows depend on.
            modules: whose sources they depend on, with all that these import.
            measure: what to do if they are not there.
        """
        path = self.rows_path(cell, inputs, modules)
        if not path.exists():
            with self._locked(path):
                if not path.exists():
                    began = time.perf_counter()
                    rows = measure()
                    finished = datetime.now(UTC).isoformat()
                    made = {"machine": _machine(), "modules": list(modules), "finished": finished}
                    config = {"cell": cell.id, **_stamped(inputs, modules), **made}
                    result = make_result(cell.question, config, rows, time.perf_counter() - began)
                    write_json(path, result)
        return read_json(path)["rows"]

    def rows_path(self, cell: Cell, inputs: Inputs, modules: Sequence[str]) -> Path:
        """The file of a cell's rows, there or not."""
        place = [
            cell.question,
            cell.world,
            cell.arm,
            cell.seed,
            *cell.at,
        ]  # two ids may read alike: of 1 and "1"
        name = f"{cell.slug}-{key_of({'cell': place, **_stamped(inputs, modules)})}.json"
        return self.folder / "rows" / cell.question / name

    def artefact(
        self, kind: str, name: str, inputs: Inputs, modules: Sequence[str], make: Callable[[Path], object]
    ) -> Path:
        """The folder of something that takes long to make, such as data or a model.

        Args:
            kind: of artefact, such as "models"; a folder of that name holds them.
            name: readable.
            inputs: all that it depends on.
            modules: whose sources it depends on, with all that these import.
            make: fills the folder that it is given. What an earlier attempt left there is found there: it goes on with
                it, or overwrites it.
        """
        stamped = _stamped(inputs, modules)
        path = self.folder / kind / f"{name}-{key_of(stamped)}"
        if not path.exists():
            with self._locked(path):
                if not path.exists():
                    part = path.with_name(f".{path.name}.part")
                    part.mkdir(parents=True, exist_ok=True)
                    make(part)
                    text = json.dumps(to_plain(stamped, allow_nonfinite=True), indent=2)
                    write_atomically(part / "inputs.json", lambda file: file.write(text.encode()))
                    os.replace(part, path)
        return path

    def merge(self, others: Iterable[str | os.PathLike[str]]) -> int:
        """Copy what other stores have and this one lacks; equal names hold equal things.

        Returns:
            How many rows' files and artefacts were copied.
        """
        copied = 0
        for other in map(Path, others):
            found = [*other.glob("rows/*/*.json"), *(path.parent for path in other.glob("*/*/inputs.json"))]
            for path in found:
                target = self.folder / path.relative_to(other)
                if not path.name.startswith(".") and not target.exists():
                    with self._locked(target):
                        copied += self._copied(path, target)
        return copied

    @staticmethod
    def _copied(path: Path, target: Path) -> bool:
        """Copy a file or a folder, whole or not at all."""
        if target.exists():
            return False
        if path.is_dir():
            part = target.with_name(f".{target.name}.part")
            shutil.rmtree(part, ignore_errors=True)  # what an attempt of this store's own has begun
            shutil.copytree(path, part)
            os.replace(part, target)
        else:
            write_atomically(target, partial(_write, path.read_bytes()))
        return True

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """Wait until no other worker makes this path. The system lets go of it when a process ends, however it ends."""
        from filelock import FileLock

        folder = self.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{path.parent.name}-{path.name}.lock"):
            yield


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _stamped(inputs: Inputs, modules: Sequence[str]) -> dict[str, Any]:
    return {"inputs": dict(inputs), "versions": versions(), "sources": sources_digest(*modules)}


def _machine() -> dict[str, Any]:
    import torch

    return {"processor": processor_name(), "threads": torch.get_num_threads()}
