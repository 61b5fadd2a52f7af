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

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.groups import GroupElement
from equiworld.results import to_plain
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.registry import known_id
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

__all__ = ["Dataset"]

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
        if not isinstance(self.provenance, Mapping):
            raise ArgumentError("provenance", type(self.provenance).__name__, "a mapping")
        object.__setattr__(self, "action", _floats("action", self.action))
        object.__setattr__(self, "episode", _integers("episode", self.episode))
        symmetry, count = self.symmetry, len(self.action)
        shapes: dict[str, tuple[int, ...]] = {
            "action": (count, symmetry.action.size(symmetry.dim)),
            "episode": (count,),
        }
        object.__setattr__(self, "action_repeat", integer("action_repeat", self.action_repeat, least=1))
        parts = {"action": self.action, "episode": self.episode}
        for prefix in ("observation", "next_observation"):
            arrays = getattr(self, prefix)
            if set(arrays) != set(symmetry.state):
                raise ArgumentError(prefix, sorted(arrays), "the state fields", symmetry.state)
            # In one order, whoever made them: rows are compared number by number.
            arrays = {name: _floats(f"{prefix}[{name!r}]", arrays[name]) for name in symmetry.state}
            object.__setattr__(self, prefix, arrays)
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
        return self.select(self.heading_offset(centre) <= number("half_width", half_width, least=0))

    def heading_offset(self, centre: float = 0.0) -> NDArray[np.floating]:
        """How far each transition's first heading is from `centre`: `(N,)` in [0, π] [rad]."""
        name = self.symmetry.heading
        if name is None:
            raise ArgumentError(
                "dataset", "a symmetry without a heading", "a symmetry that names its heading"
            )
        turned = self.observation[name][:, 0] - number("centre", centre)
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

    def make_env(self, env: str | None = None, arguments: Mapping[str, Any] | None = None) -> gym.Env:
        """The environment that it was collected from, made again with the same arguments.

        Args:
            env: its id, such as "module:id", for an environment that this process does not know: what is imported
                is the caller's choice, never that of a file.
            arguments: of `gym.make`; those that it was collected with if None.

        Raises:
            ArgumentError: it does not say, its environment is not known here, it was collected through wrappers, or
                Gymnasium cannot make it.
        """
        env_id = known_id("provenance", self.provenance.get("environment")) if env is None else env
        if env is None and "wrappers" in self.provenance:
            got = f"{env_id} in {self.provenance['wrappers']}"
            raise ArgumentError("provenance", got, "no wrappers; make the environment and wrap it yourself")
        if arguments is None:
            arguments = _literals(self.provenance.get("arguments", {}))
        try:
            return gym.make(env_id, disable_env_checker=True, **arguments)
        except (ValueError, TypeError, ImportError, gym.error.Error) as error:
            got = f"environment {env_id!r} with {dict(arguments)} ({error})"
            where = "provenance" if env is None else "env"
            raise ArgumentError(where, got, "an environment that Gymnasium can make") from error

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
        tensors: dict[str, NDArray[Any]] = {"action": self.action, "episode": self.episode}
        tensors |= {f"observation.{name}": array for name, array in self.observation.items()}
        tensors |= {f"next_observation.{name}": array for name, array in self.next_observation.items()}
        settings = {
            "symmetry": symmetry_to_dict(self.symmetry),
            "action_repeat": self.action_repeat,
            "provenance": to_plain(self.provenance),
        }
        return save_tensors(
            path, "dataset", {name: _tensor(each) for name, each in tensors.items()}, settings
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

        try:
            return Dataset(
                symmetry_from_dict(settings["symmetry"]),
                group("observation."),
                tensors["action"].numpy(),
                group("next_observation."),
                tensors["episode"].numpy(),
                settings["action_repeat"],
                settings["provenance"],
            )
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            what = f"{type(error).__name__}: {error}"
            raise CheckpointError(
                f"{os.fspath(path)} holds no whole dataset ({what}); collect it anew"
            ) from error


def _floats(name: str, value: Any) -> NDArray[np.floating]:
    """Numbers as float64 of this machine's byte order, or as the float32 that they are; copied only if need be."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ArgumentError(name, f"an array of {array.dtype}", "an array of numbers")
    single = array.dtype.newbyteorder("=") == np.float32
    return np.asarray(array, np.float32 if single else np.float64)


def _integers(name: str, value: Any) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise ArgumentError(name, f"an array of {array.dtype}", "an array of whole numbers")
    return np.asarray(array, np.int64)


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """The array's numbers. Torch takes none that is read backwards, be it along an axis of one, or only to be read."""
    return torch.from_numpy(np.require(array.reshape(-1), requirements=["C", "W"]).reshape(array.shape))


def _literals(arguments: Any) -> dict[str, Any]:
    """The arguments of `gym.make` that a provenance holds as text: numbers, strings and the like, never code."""
    try:
        return {str(name): ast.literal_eval(text) for name, text in dict(arguments).items()}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        got = f"arguments {arguments} ({error})"
        expected = "arguments that can be read again; pass them: `make_env(arguments={…})`"
        raise ArgumentError("provenance", got, expected) from error
