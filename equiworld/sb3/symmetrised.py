"""A policy behind the door: it sees every observation in its frame, and its actions are brought back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import array_of, integer
from equiworld.errors import ArgumentError
from equiworld.sb3.frames import HOW, How, frames_of
from equiworld.sb3.functions import as_policy
from equiworld.sb3.saving import load_door, loaded, save_door
from equiworld.sb3.seams import Seams, largest_distance
from equiworld.symmetry import Door
from equiworld.symmetry.batches import as_batch, rows_of
from equiworld.symmetry.limits import Limits

__all__ = ["Symmetrised", "SymmetrisedState"]


class SymmetrisedState(NamedTuple):
    """What a symmetrised policy carries from step to step, for each of B environments.

    Attributes:
        inner: the state of the policy inside, as it gave it.
        decisions: `(B,)` decisions taken in the episode.
        degenerate: `(B,)` bool, whether nothing fixed the frame of the last decision: it is equal in law only.
        seam_margin: `(B,)` in [0, 1/2], how near the observation was to a seam of the grid, in steps.
        clipped: `(B,)` bool, whether the action space cut the last action short where it turns with the world.
    """

    inner: Any
    decisions: NDArray[np.int64]
    degenerate: NDArray[np.bool_]
    seam_margin: NDArray[np.float64]
    clipped: NDArray[np.bool_]


class Symmetrised:
    """A policy that sees every observation in its frame, and whose actions are brought back; see `symmetrise`.

    Args:
        policy: what decides, with `predict`.
        door: the frame.
        ignore: keys of observations that are withheld from the policy.
        limits: what the action space leaves of the actions that were brought back.
        how: in which frames the policy is asked; see `symmetrise`.
        seed: of frames that are drawn.
    """

    def __init__(
        self,
        policy: Any,
        door: Door,
        ignore: Sequence[str] = (),
        limits: Limits | None = None,
        how: How = "representative",
        seed: int = 0,
    ) -> None:
        if not isinstance(how, str) or how not in HOW:
            raise ArgumentError("how", repr(how), "in which frames the policy is asked", HOW)
        self.how, self.seed = how, integer("seed", seed, least=0)
        self._frames = frames_of(door.symmetry, how, self.seed)
        self.policy, self.door, self.symmetry, self.ignore = policy, door, door.symmetry, tuple(ignore)
        self.limits = Limits() if limits is None else limits

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why decisions can be exact in law only, in words; empty if they are exact wherever the frame is fixed."""
        return *self.door.inexact, *(self.limits.notes(self.symmetry) if self.door.turns else ())

    @property
    def dtype(self) -> Any:
        """Of the policy inside, if it says so."""
        return getattr(self.policy, "dtype", None)

    def predict(
        self,
        observation: NDArray[Any] | Mapping[str, NDArray[Any]],
        state: Any = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.floating], SymmetrisedState]:
        """The action to take; stable-baselines3's protocol.

        Args:
            observation: of one environment, or of B of them, stacked.
            state: what the last call returned; None at the beginning.
            episode_start: `(B,)` bool, where a new episode begins.
            deterministic: handed on.

        Returns:
            The action `(size,)` or actions `(B, size)`, within the action space and of its dtype (float64 if none is
            known), and the state.

        Raises:
            ArgumentError: the observation is of the wrong shape, dtype or fields, or not finite; the state is that of
                another number of environments; or the policy's actions are misshapen or not finite.
        """
        if isinstance(observation, Mapping):
            observation = {name: value for name, value in observation.items() if name not in self.ignore}
        seen, batched = as_batch(self.symmetry, observation)
        inside = self.door.enter(seen)
        count = len(inside.margin)
        memory, decisions = self._recalled(state, episode_start, count)
        # Of arrays of several axes nobody else can tell one observation from several.
        several = batched or bool(self.symmetry.shapes)

        def ask(shown: Any, before: Any) -> tuple[NDArray[np.float64], Any]:
            action, after = self.policy.predict(
                shown if several else rows_of(shown, 0),
                state=before,
                episode_start=episode_start,
                deterministic=deterministic,
            )
            return self._checked(action, count, several), after

        before = None if memory is None else memory.inner
        if self._frames is None:
            action, inner = ask(inside.observation, before)
        else:
            action, inner = self._frames.decide(
                ask, inside.observation, before, decisions == 0, deterministic
            )
        turned = self.symmetry.transform_action(inside.element, action)
        kept, clipped = self.limits.keep(np.asarray(turned, np.float64))
        after = SymmetrisedState(inner, decisions + 1, inside.degenerate, inside.margin, clipped)
        return (kept if batched else kept[0]), after

    def seams(self, observation: Any, state: Any = None) -> Seams:
        """How far decisions jump where the frame changes, at a batch of observations; the policy inside is asked.

        Args:
            observation: of B environments, stacked.
            state: of the policy inside; None for one without memory, or at the beginning.

        Raises:
            ArgumentError: see `predict`; or frames are drawn, and change with every episode.
        """
        if self.how == "random":
            raise ArgumentError(
                "how", "'random'", "frames that are chosen: how='representative' or 'average'"
            )
        if isinstance(observation, Mapping):
            observation = {name: value for name, value in observation.items() if name not in self.ignore}
        inside = self.door.enter(as_batch(self.symmetry, observation)[0])
        group, count = self.symmetry.group, len(inside.margin)
        others = list(group.elements() if group.finite else group.section())[1:]

        def decided(seen: Any) -> NDArray[np.float64]:
            starts = np.ones(count, bool)
            action, _ = self.policy.predict(seen, state=state, episode_start=starts, deterministic=True)
            return self._checked(action, count, True)

        symmetry, jump = self.symmetry, np.zeros(count)
        if self.how == "representative":
            moved = [
                symmetry.transform_action(
                    k, decided(symmetry.transform_observation(k.inverse(), inside.observation))
                )
                for k in others
            ]
            jump = largest_distance(decided(inside.observation), moved)
        return Seams(1.0 - inside.degeneracy, jump, len(others))

    def _recalled(
        self, state: Any, episode_start: ArrayLike | None, count: int
    ) -> tuple[SymmetrisedState | None, NDArray[np.int64]]:
        """The state, if there is one, and how many decisions its episodes have had."""
        decisions = np.zeros(count, np.int64)
        memory = None
        if state is not None:
            if not isinstance(state, tuple | list) or len(state) != len(SymmetrisedState._fields):
                raise ArgumentError(
                    "state", f"a {type(state).__name__}", "what the last call returned, or None"
                )
            memory = SymmetrisedState(*state)
            decisions = np.array(array_of("state", memory.decisions))
            if decisions.shape != (count,) or decisions.dtype.kind not in "iu":
                raise ArgumentError("state", f"of {decisions.size} environments", f"one of {count}, or None")
        if episode_start is not None:
            begins = np.atleast_1d(array_of("episode_start", episode_start))
            if begins.shape != (count,) or begins.dtype.kind not in "biu":
                got = f"shape {begins.shape}, dtype {begins.dtype}"
                raise ArgumentError("episode_start", got, f"bools of shape ({count},)")
            decisions[begins.astype(bool)] = 0
        return memory, decisions

    def _checked(self, action: Any, count: int, batched: bool) -> NDArray[np.float64]:
        """The policy's actions `(B, size)`, float64: what is turned in float32 is rounded once more."""
        size = self.symmetry.action.size(self.symmetry.dim)
        shape = (count, size) if batched else (size,)
        actions = np.asarray(action, np.float64)
        if actions.shape != shape:
            raise ArgumentError("policy", f"an action of shape {actions.shape}", f"shape {shape}")
        if not np.isfinite(actions).all():
            raise ArgumentError("policy", "an action that is not finite", "finite numbers")
        return actions if batched else actions[None]

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `door.json`, and the policy by its own `save` beside it.

        Args:
            folder: that they are written to.

        Raises:
            ArgumentError: the policy has no `save`; nothing was written.
        """
        return save_door(folder, self.policy, self.door, self.ignore, self.limits, self.how, self.seed)

    @staticmethod
    def load(folder: str | os.PathLike[str], policy: Any) -> Symmetrised:
        """Read what `save` wrote.

        Args:
            folder: that was written to.
            policy: the class whose `load` reads the policy, such as `MPCPolicy` or stable-baselines3's `PPO`; or the
                policy itself. No file chooses it.

        Raises:
            FileNotFoundError: nothing was saved there.
            CheckpointError: a file is damaged, or of another version.
            ArgumentError: no policy, and no class that loads one.
        """
        settings = load_door(folder)
        return Symmetrised(as_policy(loaded(folder, policy)), *settings)
