"""Transitions with the knowledge of where they come from and how they transform."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.arguments import instance, integer, number
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.groups import GroupElement
from equiworld.results import to_plain
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.observing import Apart
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict
from equiworld.training.overlap import check_disjoint
from equiworld.training.provenance import env_of, provenance_of
from equiworld.training.recorded import chosen_rows, columns_of_buffer, columns_of_episodes, floats, integers
from equiworld.training.splitting import split_episodes
from equiworld.training.stored import read_columns, write_columns

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
        instance("symmetry", self.symmetry, Symmetry)
        instance("provenance", self.provenance, Mapping)
        object.__setattr__(self, "action", floats("action", self.action))
        object.__setattr__(self, "episode", integers("episode", self.episode))
        symmetry, count = self.symmetry, len(np.atleast_1d(self.action))
        shapes: dict[str, tuple[int, ...]] = {
            "action": (count, symmetry.action.size(symmetry.dim)),
            "episode": (count,),
        }
        object.__setattr__(self, "action_repeat", integer("action_repeat", self.action_repeat, least=1))
        parts = {"action": self.action, "episode": self.episode}
        for prefix in ("observation", "next_observation"):
            arrays = getattr(self, prefix)
            if not isinstance(arrays, Mapping) or set(arrays) != set(symmetry.state):
                got = list(arrays) if isinstance(arrays, Mapping) else f"a {type(arrays).__name__}"
                raise ArgumentError(prefix, got, "the state fields", symmetry.state)
            # In one order, whoever made them: rows are compared number by number.
            arrays = {name: floats(f"{prefix}[{name!r}]", arrays[name]) for name in symmetry.state}
            object.__setattr__(self, prefix, arrays)
            for name, array in arrays.items():
                parts[f"{prefix}[{name!r}]"] = array
                shapes[f"{prefix}[{name!r}]"] = (count, symmetry.observation[name].size(symmetry.dim))
        for name, array in parts.items():
            if array.shape != shapes[name]:
                raise ArgumentError(name, f"shape {array.shape}", f"shape {shapes[name]}")
            if not np.isfinite(array).all():
                raise ArgumentError(name, "NaN or infinity", "finite numbers")

    @staticmethod
    def from_episodes(
        symmetry: Symmetry,
        episodes: Iterable[Mapping[str, Any]],
        *,
        action_repeat: int = 1,
        extra_keys: Literal["refuse", "ignore"] = "refuse",
        provenance: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """Transitions of recorded episodes, without an environment.

        An episode's number is made of its numbers, so that `check_disjoint` finds a recording that is in two datasets.

        Args:
            symmetry: how the arrays transform.
            episodes: each a mapping of "observation", as the environment gives it but with T + 1 rows, the last one
                included: a mapping of arrays `(T + 1, size)`, or one such array if the symmetry is flat; and of
                "action", `(T, size)`. Goals may be absent; they are no part of transitions.
            action_repeat: environment steps from one row to the next, the action's target held.
            extra_keys: what to do with keys that are not declared.
            provenance: what is known of where they come from, JSON-able; "environment" if it has an id.

        Raises:
            ArgumentError: says which episode and key, what came, and what was expected.

        >>> from equiworld.groups import SE2
        >>> from equiworld.symmetry import Point, Vector
        >>> episode = {"observation": {"pos": [[0, 0], [1, 0], [1, 2]]}, "action": [[1, 0], [0, 2]]}
        >>> data = Dataset.from_episodes(Symmetry(SE2(), {"pos": Point()}, action=Vector()), [episode])
        >>> data.next_observation["pos"].tolist()
        [[1.0, 0.0], [1.0, 2.0]]
        """
        columns = columns_of_episodes(symmetry, episodes, extra_keys)
        origin = provenance_of("recorded episodes", provenance)
        return Dataset(symmetry, **columns, action_repeat=action_repeat, provenance=origin)

    @staticmethod
    def from_replay_buffer(
        buffer: Any,
        symmetry: Symmetry,
        *,
        scaled: bool = True,
        action_repeat: int = 1,
        extra_keys: Literal["refuse", "ignore"] = "refuse",
        provenance: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """The complete transitions of a stable-baselines3 ReplayBuffer or DictReplayBuffer, oldest first.

        With `optimize_memory_usage` the last observation of an episode is overwritten by the next one's first: those
        transitions are left out. Arguments and errors beside these are those of `from_episodes`.

        Args:
            buffer: anything with its attributes.
            symmetry: of the environment that it was filled from.
            scaled: whether actions lie between −1 and 1, as stable-baselines3's own algorithms keep them, to be brought
                back to the bounds of `buffer.action_space`; False for what was added in the environment's units.
        """
        columns = columns_of_buffer(buffer, symmetry, scaled, extra_keys)
        origin = provenance_of("replay buffer", provenance)
        return Dataset(symmetry, **columns, action_repeat=action_repeat, provenance=origin)

    def __len__(self) -> int:
        return len(self.action)

    def select(self, which: NDArray[Any] | slice) -> Dataset:
        """The transitions that a mask, an index array or a slice picks."""
        which = chosen_rows(which, len(self))
        return replace(
            self,
            observation={name: array[which] for name, array in self.observation.items()},
            action=self.action[which],
            next_observation={name: array[which] for name, array in self.next_observation.items()},
            episode=self.episode[which],
        )

    def split(self, shares: Sequence[float], seed: int = 0) -> tuple[Dataset, ...]:
        """Disjoint parts of whole episodes, such as `train, test = data.split((0.9, 0.1))`.

        Episodes are drawn at random. Every part but the first holds as many as fit into its share of the transitions;
        the first holds all others.

        Args:
            shares: of the transitions, positive, adding up to 1.
            seed: of the drawing.

        Raises:
            ArgumentError: no such shares, or there is one that no whole episode fits into.
        """
        return split_episodes(self, shares, seed)

    def check_disjoint(self, **others: Dataset) -> dict[str, Any]:
        """Prove that this has nothing in common with others, by name; see `equiworld.training.check_disjoint`."""
        return check_disjoint(data=self, **others)

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
        g = self.symmetry.own(g)

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
            ArgumentError: it does not say, its environment is not known here, it was collected through wrappers or
                with something set by hand, or Gymnasium cannot make it.
        """
        return env_of(self.provenance, env, arguments)

    def state_features(self, arrays: Arrays, dtype: torch.dtype) -> Features:
        """State fields as Features."""
        return self.symmetry.to_features(Apart(arrays), dtype=dtype)

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
        instance("parts", parts, Sequence)
        if not parts:
            raise ArgumentError("parts", "no datasets", "at least one")
        for part in parts:
            instance("parts", part, Dataset)
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
        names = ("observation", "action", "next_observation", "episode")
        settings = {
            "symmetry": symmetry_to_dict(self.symmetry),
            "action_repeat": self.action_repeat,
            "provenance": to_plain(self.provenance),
        }
        return write_columns(path, {name: getattr(self, name) for name in names}, settings)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Dataset:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the file is cut off, damaged, or no dataset.
        """
        columns, settings = read_columns(path)
        try:
            symmetry = symmetry_from_dict(settings["symmetry"])
            kept = {name: settings[name] for name in ("action_repeat", "provenance")}
            return Dataset(symmetry, **columns, **kept)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            what = f"{type(error).__name__}: {error}"
            raise CheckpointError(
                f"{os.fspath(path)} holds no whole dataset ({what}); collect it anew"
            ) from error
