"""Datasets written as Minari's, and read from them: the format that offline reinforcement learning shares.

Minari is an extra: `pip install "equiworld[minari]"`. Reference: https://minari.farama.org.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.results import to_plain
from equiworld.symmetry import Symmetry
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict
from equiworld.training.dataset import Dataset

__all__ = ["from_minari", "to_minari"]

_KEY = "equiworld"
"""Of Minari's metadata, of datasets and of episodes, that say what Minari has no place for."""

_ID = re.compile(r"([-\w]+/)*[-\w]+-v\d+", re.ASCII)


def to_minari(data: Dataset, dataset_id: str, **about: Any) -> Any:
    """Write transitions as a Minari dataset, whole or not at all, in the folder of `MINARI_DATASETS_PATH`.

    Transitions that follow one another to the bit become one episode; others of an episode, such as those that were
    picked out of it, become several, which still know that they belong together. Rewards are 0, for there are none.
    Symmetry, action repeat and provenance are kept in the metadata, as JSON.

    Args:
        data: at least one transition.
        dataset_id: such as "mine/pusht-v0".
        about: further arguments of `minari.create_dataset_from_buffers`, such as `author` and `description`.

    Returns:
        The `minari.MinariDataset`; `from_minari` makes equal transitions of it, bit for bit.

    Raises:
        ArgumentError: Minari is not installed, cannot take the id or a field's name, or has such a dataset already.
    """
    minari = _minari()
    _check(data, dataset_id)
    described = {
        "symmetry": symmetry_to_dict(data.symmetry),
        "action_repeat": data.action_repeat,
        "provenance": to_plain(data.provenance),
    }
    from minari.storage.datasets_root_dir import get_dataset_path

    path = get_dataset_path(dataset_id)
    if path.exists():
        raise ArgumentError("dataset_id", f"{dataset_id!r}, which is at {path}", "one that is not there yet")
    runs = list(_runs(data))
    shown: dict[str, spaces.Space[Any]] = {name: _space(array) for name, array in data.observation.items()}
    settings = {"observation_space": spaces.Dict(shown), "action_space": _space(data.action), **about}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of what nobody said about it
            found = minari.create_dataset_from_buffers(
                dataset_id, [_episode(data, *run) for run in runs], **settings
            )
        found.storage.update_metadata({_KEY: json.dumps(described)})
        numbers = [{_KEY: str(int(data.episode[start]))} for start, _ in runs]
        found.storage.update_episode_metadata(numbers)
    except BaseException as error:
        shutil.rmtree(path, ignore_errors=True)
        if isinstance(error, TypeError | ValueError):
            raise ArgumentError("about", f"{sorted(about)} ({error})", "what Minari takes") from error
        raise
    return found


def from_minari(
    dataset: Any,
    symmetry: Symmetry | None = None,
    *,
    action_repeat: int = 1,
    extra_keys: Literal["refuse", "ignore"] = "refuse",
) -> Dataset:
    """The transitions of a Minari dataset: one that `to_minari` wrote, bit for bit, or anybody's.

    A dataset does not choose what is imported: its symmetry names fields and groups of this library, and its
    environment is not made.

    Args:
        dataset: of `minari.load_dataset(…)`, or a part of one.
        symmetry: of its observations and actions; that which `to_minari` wrote if None.
        action_repeat: environment steps from one row to the next, of a dataset that `to_minari` did not write.
        extra_keys: what to do with observations that are not declared, likewise.

    Raises:
        ArgumentError: it says no symmetry and none is given, or its arrays are not those of the symmetry.
        CheckpointError: what `to_minari` wrote is damaged.
    """
    if not callable(getattr(dataset, "iterate_episodes", None)) or not hasattr(dataset, "storage"):
        raise ArgumentError("dataset", f"a {type(dataset).__name__}", "what `minari.load_dataset(…)` returns")
    name = str(getattr(dataset, "id", "dataset"))
    try:
        metadata, episodes = dataset.storage.metadata, list(dataset.iterate_episodes())
        numbers = [each.get(_KEY) for each in dataset.storage.get_episode_metadata(dataset.episode_indices)]
    except Exception as error:  # whatever Minari and the formats below it raise
        raise CheckpointError(f"{name} cannot be read ({type(error).__name__}: {error})") from error
    if _KEY in metadata:
        return _written(name, metadata[_KEY], symmetry, episodes, numbers)
    if symmetry is None:
        raise ArgumentError("symmetry", None, f"one: {name} does not say how its arrays transform")
    spec = getattr(dataset, "env_spec", None)
    provenance = {"minari": name, **({} if spec is None else {"environment": str(spec.id)})}
    shown = ({"observation": each.observations, "action": each.actions} for each in episodes)
    return Dataset.from_episodes(
        symmetry, shown, action_repeat=action_repeat, extra_keys=extra_keys, provenance=provenance
    )


def _check(data: Dataset, dataset_id: Any) -> None:
    """Refuse what Minari cannot hold."""
    if not len(data):
        raise ArgumentError("data", "no transitions", "at least one")
    if not isinstance(dataset_id, str) or not _ID.fullmatch(dataset_id):
        raise ArgumentError("dataset_id", repr(dataset_id), 'an id such as "mine/pusht-v0"')
    for name in data.observation:
        if set(name) & set("/\0") or name in ("", ".", ".."):
            raise ArgumentError("data", f"a field {name!r}", "names that a file can hold, without '/'")
        kinds = data.observation[name].dtype, data.next_observation[name].dtype
        if kinds[0] != kinds[1]:
            raise ArgumentError(
                "data", f"{name!r}, {kinds[0]} before and {kinds[1]} after", "one dtype of each field"
            )


def _minari() -> Any:
    try:
        import minari
        import minari.dataset._storages.hdf5_storage  # which wants h5py
    except ImportError as error:
        raise ArgumentError(
            "minari", f"no such package ({error})", 'it, which is an extra: `pip install "equiworld[minari]"`'
        ) from error
    return minari


def _runs(data: Dataset) -> Iterator[tuple[int, int]]:
    """Where transitions of an episode that follow one another to the bit begin and end."""
    follows = data.episode[1:] == data.episode[:-1]
    for name, array in data.observation.items():
        after, before = (
            np.ascontiguousarray(data.next_observation[name][:-1]),
            np.ascontiguousarray(array[1:]),
        )
        bits = f"i{before.dtype.itemsize}"  # as whole numbers: −0 and 0 are two
        follows &= (after.view(bits) == before.view(bits)).all(-1)
    ends = [*(np.flatnonzero(~follows) + 1).tolist(), len(data)]
    yield from zip([0, *ends[:-1]], ends, strict=True)


def _space(array: NDArray[Any]) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, array.shape[1:], array.dtype.type)


def _episode(data: Dataset, start: int, stop: int) -> Any:
    """Some transitions that follow one another, as Minari's episode: T + 1 observations."""
    from minari.data_collector import EpisodeBuffer

    length, last = stop - start, slice(stop - 1, stop)
    observations = {
        name: np.concatenate([array[start:stop], data.next_observation[name][last]])
        for name, array in data.observation.items()
    }
    return EpisodeBuffer(
        observations=observations,
        actions=data.action[start:stop],
        rewards=[0.0] * length,
        terminations=[False] * length,
        truncations=[False] * (length - 1) + [True],
    )


def _written(
    name: str, text: Any, symmetry: Symmetry | None, episodes: list[Any], numbers: list[Any]
) -> Dataset:
    """What `to_minari` wrote."""
    if not episodes:
        raise ArgumentError("dataset", f"{name}, without episodes", "at least one episode")
    try:
        described = json.loads(text)
        declared = symmetry_from_dict(described["symmetry"]) if symmetry is None else symmetry
        columns = [{key: np.asarray(each.observations[key]) for key in declared.state} for each in episodes]
        actions = [np.asarray(each.actions) for each in episodes]
        for arrays, action in zip(columns, actions, strict=True):
            if any(len(array) != len(action) + 1 for array in arrays.values()):
                raise ValueError("episodes whose observations are not one more than their actions")
        return Dataset(
            declared,
            {key: np.concatenate([each[key][:-1] for each in columns]) for key in declared.state},
            np.concatenate(actions),
            {key: np.concatenate([each[key][1:] for each in columns]) for key in declared.state},
            np.repeat(np.array([int(each) for each in numbers], np.int64), [len(each) for each in actions]),
            described["action_repeat"],
            _mapping(described["provenance"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if symmetry is not None and isinstance(error, ArgumentError):
            raise
        what = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{name} holds no whole dataset of equiworld ({what})") from error


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a provenance that is a {type(value).__name__}")
    return value
