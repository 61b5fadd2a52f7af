"""Recorded episodes: from Minari's datasets, and from folders of parquet files as LeRobot writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.arguments import number, reals
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array

__all__ = ["Recording", "read_lerobot", "read_minari"]


@dataclass(frozen=True)
class Recording:
    """Episodes of arrays by key: what was seen, one row more than what was done where the last state is known.

    Attributes:
        episodes: each by key `(T, size)` float64.
        rate: rows a second; None where it is not told.

    >>> recording = Recording([{"state": np.zeros((5, 3)), "action": np.zeros((4, 2))}])
    >>> recording.sizes
    {'state': 3, 'action': 2}
    """

    episodes: Sequence[Mapping[str, Any]]
    rate: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.episodes, Mapping | str) or not isinstance(self.episodes, Iterable):
            raise ArgumentError("episodes", self.episodes, "a sequence of episodes, each arrays by key")
        found = [_arrays(place, episode) for place, episode in enumerate(self.episodes)]
        sizes = [{name: array.shape[1] for name, array in each.items()} for each in found]
        if not found or any(each != sizes[0] for each in sizes):
            got = f"{len(found)} of them with the sizes {sizes[:3]}"
            raise ArgumentError("episodes", got, "one or more, with the same keys of the same sizes")
        object.__setattr__(self, "episodes", tuple(found))
        if self.rate is not None:
            object.__setattr__(self, "rate", number("rate", self.rate, above=0.0))

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of each key."""
        return {name: array.shape[1] for name, array in self.episodes[0].items()}


def _arrays(place: int, episode: Any) -> dict[str, Array]:
    """The arrays of one episode, `(T, size)` each; what was seen has at most one row more than what was done."""
    if not isinstance(episode, Mapping) or not episode:
        raise ArgumentError(f"episode {place}", episode, "arrays by key, one or more")
    found = {}
    for name, value in episode.items():
        array = reals(f"episode {place}, {name}", value)
        if not array.ndim or not array.size:
            raise ArgumentError(f"episode {place}, {name}", f"shape {array.shape}", "one row or more")
        found[str(name)] = array.reshape(len(array), -1)
    rows = {name: len(array) for name, array in found.items()}
    if max(rows.values()) - min(rows.values()) > 1:
        raise ArgumentError(f"episode {place}", f"rows {rows}", "as many of each key, or one row more")
    return found


def read_lerobot(folder: str | os.PathLike[str]) -> Recording:
    """A folder as LeRobot writes it, v2 and v3: meta/info.json, and parquet files below data/.

    Columns of numbers are read, images and texts are not. Reading needs pyarrow: `pip install "equiworld[parquet]"`.

    Args:
        folder: that holds meta and data.

    Raises:
        ArgumentError: pyarrow is missing; or the folder is not of this form; says what is missing.

    Reference: https://github.com/huggingface/lerobot, the dataset format.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ArgumentError("folder", str(folder), 'pyarrow: pip install "equiworld[parquet]"') from error
    if not isinstance(folder, str | os.PathLike):
        raise ArgumentError("folder", folder, "the path of a folder")
    root = Path(folder)
    try:
        about = json.loads((root / "meta" / "info.json").read_text(encoding="utf-8"))
        features = about["features"]
        numeric = [name for name, told in features.items() if "float" in str(told["dtype"])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArgumentError(
            "folder", f"{root} ({error})", "one with meta/info.json that tells features"
        ) from error
    files = sorted((root / "data").rglob("*.parquet"))
    if not files or not numeric:
        raise ArgumentError("folder", str(root), "one with columns of floats in parquet files below data/")
    rows: dict[int, list[dict[str, Array]]] = {}
    for file in files:
        try:
            table = parquet.read_table(file)
        except (OSError, ValueError) as error:
            raise ArgumentError("folder", f"{file} ({error})", "parquet files") from error
        missing = [name for name in (*numeric, "episode_index") if name not in table.column_names]
        if missing:
            raise ArgumentError("folder", f"{file} without {missing[0]!r}", "the columns of meta/info.json")
        arrays = {name: _column(file, table, name) for name in numeric}
        episodes = _column(file, table, "episode_index")[:, 0]
        for episode in np.unique(episodes).tolist():
            chosen = episodes == episode
            rows.setdefault(int(episode), []).append({name: each[chosen] for name, each in arrays.items()})
    whole = [
        {name: np.concatenate([part[name] for part in parts]) for name in numeric if name != "timestamp"}
        for _, parts in sorted(rows.items())
    ]
    rate = about.get("fps")
    return Recording(whole, rate)


def _column(file: Path, table: Any, name: str) -> Array:
    """The numbers of a column, `(rows, size)`."""
    values = reals(f"column {name!r} of {file}", table.column(name).to_pylist())
    return values.reshape(len(values), -1 if values.size else 1)


def read_minari(dataset: Any) -> Recording:
    """A Minari dataset; keys of a Dict observation by their names, the action as "action".

    Args:
        dataset: a `minari.MinariDataset`, or the id of one that is there.

    Raises:
        ArgumentError: Minari is missing, or has no such dataset.
    """
    if isinstance(dataset, str):
        try:
            import minari
        except ImportError as error:
            raise ArgumentError("dataset", dataset, 'Minari: pip install "equiworld[minari]"') from error
        try:
            dataset = minari.load_dataset(dataset)
        except Exception as error:
            raise ArgumentError("dataset", f"{dataset!r} ({error})", "one that is there") from error
    if not hasattr(dataset, "iterate_episodes"):
        raise ArgumentError("dataset", dataset, "a minari.MinariDataset, or the id of one")
    episodes = []
    for episode in dataset.iterate_episodes():
        seen = dict(_named("observation", episode.observations))
        episodes.append({**seen, "action": np.asarray(episode.actions, np.float64)})
    return Recording(episodes)


def _named(name: str, shown: Any) -> Iterator[tuple[str, Array]]:
    """Arrays by key, of a nested Dict by their own names."""
    if isinstance(shown, Mapping):
        for key, value in shown.items():
            yield from _named(str(key), value)
    elif np.asarray(shown).dtype.kind in "fiu":
        yield name, np.asarray(shown, np.float64)
