"""Transitions with the knowledge of where they come from and how they transform."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.errors import ArgumentError, OverlapError
from equiworld.groups import GroupElement
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

__all__ = ["Dataset", "check_disjoint"]

Arrays = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Dataset:
    """N transitions (s, a, s′), in the environment's units; float64, or float32 where clouds would fill the memory.

    Attributes:
        symmetry: how the arrays transform.
        observation: the state fields at s, each `(N, size)`.
        action: `(N, size)`.
        next_observation: the state fields at s′.
        episode: `(N,)` int64; transitions of one episode share a number, those of two never do.
        action_repeat: environment steps between s and s′, the action's target held.
        provenance: environment, seeds, versions and settings it was collected with.
    """

    symmetry: Symmetry
    observation: Arrays
    action: NDArray[np.floating]
    next_observation: Arrays
    episode: NDArray[np.int64]
    action_repeat: int = 1
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        symmetry, count = self.symmetry, len(self.action)
        shapes: dict[str, tuple[int, ...]] = {
            "action": (count, symmetry.action.size(symmetry.dim)),
            "episode": (count,),
        }
        parts = {"action": self.action, "episode": self.episode}
        for prefix in ("observation", "next_observation"):
            arrays = getattr(self, prefix)
            if set(arrays) != set(symmetry.state):
                raise ArgumentError(prefix, sorted(arrays), "the state fields", symmetry.state)
            # In one order, whoever made them: rows are compared number by number.
            object.__setattr__(self, prefix, {name: arrays[name] for name in symmetry.state})
            for name, array in arrays.items():
                parts[f"{prefix}[{name!r}]"] = array
                shapes[f"{prefix}[{name!r}]"] = (count, symmetry.observation[name].size(symmetry.dim))
        for name, array in parts.items():
            if array.shape != shapes[name]:
                raise ArgumentError(name, f"shape {array.shape}", f"shape {shapes[name]}")
            if not np.isfinite(array).all():
                raise ArgumentError(name, "NaN or infinity", "finite numbers")

    def __len__(self) -> int:
        return len(self.action)

    def select(self, which: NDArray[Any] | slice) -> Dataset:
        """The transitions that a mask, an index array or a slice picks."""
        return replace(
            self,
            observation={name: array[which] for name, array in self.observation.items()},
            action=self.action[which],
            next_observation={name: array[which] for name, array in self.next_observation.items()},
            episode=self.episode[which],
        )

    def slice_of_headings(self, half_width: float, centre: float = 0.0) -> Dataset:
        """The transitions that begin with the heading within `centre` ± `half_width` [rad]."""
        return self.select(self.heading_offset(centre) <= half_width)

    def heading_offset(self, centre: float = 0.0) -> NDArray[np.floating]:
        """How far each transition's first heading is from `centre`: `(N,)` in [0, π] [rad]."""
        name = self.symmetry.heading
        if name is None:
            raise ArgumentError(
                "dataset", "a symmetry without a heading", "a symmetry that names its heading"
            )
        turned = self.observation[name][:, 0] - centre
        return np.abs((turned + np.pi) % (2 * np.pi) - np.pi)

    def transform(self, g: GroupElement) -> Dataset:
        """The same transitions in the world transformed by g."""

        def moved(arrays: Arrays) -> dict[str, NDArray[np.floating]]:
            fields, centre = self.symmetry.observation, self.symmetry.centre
            return {name: fields[name].transform(g, array, centre, name) for name, array in arrays.items()}

        return replace(
            self,
            observation=moved(self.observation),
            action=self.symmetry.transform_action(g, self.action),
            next_observation=moved(self.next_observation),
        )

    def features(self, dtype: torch.dtype = torch.float32) -> tuple[Features, Features, Features]:
        """State, action and next state as Features of batch shape `(N,)`."""
        return (
            self.state_features(self.observation, dtype),
            self.symmetry.action_features(self.action, dtype),
            self.state_features(self.next_observation, dtype),
        )

    def make_env(self) -> gym.Env:
        """The environment that it was collected from, made again with the same arguments.

        Raises:
            ArgumentError: it does not say, or Gymnasium cannot make it.
        """
        env_id, arguments = (self.provenance.get(key) for key in ("environment", "arguments"))
        try:
            known = {name: ast.literal_eval(text) for name, text in (arguments or {}).items()}
            return gym.make(str(env_id), disable_env_checker=True, **known)
        except (ValueError, SyntaxError, TypeError, gym.error.Error) as error:
            got = f"environment {env_id!r} with {arguments} ({error})"
            raise ArgumentError("provenance", got, "an environment that Gymnasium can make again") from error

    def state_features(self, arrays: Arrays, dtype: torch.dtype) -> Features:
        """State fields as Features."""
        return replace(self.symmetry, flat=False).to_features(dict(arrays), dtype=dtype)

    def fingerprint(self) -> str:
        """SHA-256 of every number: equal for equal transitions only."""
        digest = hashlib.sha256()
        for arrays in (
            self.observation,
            {"action": self.action, "episode": self.episode},
            self.next_observation,
        ):
            for name, array in arrays.items():
                digest.update(f"{name} {array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @staticmethod
    def concatenate(parts: Sequence[Dataset]) -> Dataset:
        """One dataset of several that were collected alike; keeps the first's provenance."""
        if not parts:
            raise ArgumentError("parts", "no datasets", "at least one")
        first = parts[0]
        for part in parts[1:]:
            kinds = [(data.symmetry, data.action_repeat, data.action.dtype) for data in (first, part)]
            if kinds[0] != kinds[1]:
                expected = "one symmetry, one action_repeat and one dtype"
                raise ArgumentError("parts", "datasets of two kinds", expected)
        names = first.observation
        return replace(
            first,
            observation={name: np.concatenate([part.observation[name] for part in parts]) for name in names},
            action=np.concatenate([part.action for part in parts]),
            next_observation={
                name: np.concatenate([part.next_observation[name] for part in parts]) for name in names
            },
            episode=np.concatenate([part.episode for part in parts]),
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file, whole or not at all."""
        tensors = {"action": self.action, "episode": self.episode}
        tensors |= {f"observation.{name}": array for name, array in self.observation.items()}
        tensors |= {f"next_observation.{name}": array for name, array in self.next_observation.items()}
        settings = {
            "symmetry": symmetry_to_dict(self.symmetry),
            "action_repeat": self.action_repeat,
            "provenance": dict(self.provenance),
        }
        return save_tensors(
            path, "dataset", {name: torch.as_tensor(array) for name, array in tensors.items()}, settings
        )

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Dataset:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the file is cut off, damaged, or no dataset.
        """
        tensors, settings = load_tensors(path, "dataset")

        def group(prefix: str) -> dict[str, NDArray[np.floating]]:
            return {
                name.removeprefix(prefix): tensor.numpy()
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }

        return Dataset(
            symmetry_from_dict(settings["symmetry"]),
            group("observation."),
            tensors["action"].numpy(),
            group("next_observation."),
            tensors["episode"].numpy(),
            settings["action_repeat"],
            settings["provenance"],
        )

    def _digests(self, names: Sequence[str], dtype: np.dtype[Any]) -> NDArray[np.bytes_]:
        """A digest of each transition, `(N,)`: of its action and these fields before and after."""
        arrays = [
            self.action,
            *(part[name] for part in (self.observation, self.next_observation) for name in names),
        ]
        # −0 and 0 are one number.
        columns = [np.ascontiguousarray(array.astype(dtype) + dtype.type(0)) for array in arrays]
        found = np.empty(len(self), "S32")
        for index in range(len(self)):
            digest = hashlib.blake2b(digest_size=16)
            for column in columns:
                digest.update(column[index].data)
            found[index] = digest.hexdigest()
        return found


def _shared_transitions(first: Dataset, second: Dataset) -> int:
    """How many transitions two datasets share, in the fields of equal size and in the coarser of their dtypes."""
    sizes = [{name: array.shape[1] for name, array in data.observation.items()} for data in (first, second)]
    names = [name for name, size in sizes[0].items() if sizes[1].get(name) == size]
    dtype = min((first.action.dtype, second.action.dtype), key=lambda one: one.itemsize)
    ours, theirs = (np.unique(data._digests(names, dtype)) for data in (first, second))
    return len(np.intersect1d(ours, theirs, assume_unique=True))


def check_disjoint(**datasets: Dataset) -> dict[str, Any]:
    """Prove that datasets share no episode and no transition.

    A transformed copy keeps its episodes' numbers, so test data that is training data turned is found too: to an
    equivariant model it is data it was trained on. Collect each part with a seed of its own.

    Args:
        datasets: by name, such as `train=…, seen_test=…, turned_test=…`.

    Returns:
        What was checked, for the result file: the sizes, and the shared counts (all zero).

    Raises:
        OverlapError: two share an episode or a transition; names them and how many.
    """
    names = list(datasets)
    report: dict[str, Any] = {
        "transitions": {name: len(data) for name, data in datasets.items()},
        "shared": {},
    }
    episodes = {name: np.unique(data.episode) for name, data in datasets.items()}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            counts = {
                "transitions": _shared_transitions(datasets[first], datasets[second]),
                "episodes": len(np.intersect1d(episodes[first], episodes[second], assume_unique=True)),
            }
            for what, shared in counts.items():
                if shared:
                    raise OverlapError(
                        f"{first} and {second} share {shared} {what}; expected none: collect them with "
                        "different seeds, or split by episode"
                    )
                report["shared"][f"{first}/{second} {what}"] = shared
    return report
