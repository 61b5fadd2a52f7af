"""Any policy, made exactly equivariant by deciding in the frame at the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry import Door, Symmetry, symmetry_of
from equiworld.symmetry.batches import as_batch, rows_of

__all__ = ["Symmetrised", "SymmetrisedState", "symmetrise"]


class SymmetrisedState(NamedTuple):
    """What a symmetrised policy carries from step to step, for each of B environments.

    Attributes:
        inner: the state of the policy inside, as it gave it.
        decisions: `(B,)` decisions taken in the episode.
        degenerate: `(B,)` bool, whether nothing fixed the frame of the last decision: it is equal in law only.
        seam_margin: `(B,)` in [0, 1/2], how near the observation was to a seam of the grid, in steps.
    """

    inner: Any
    decisions: NDArray[np.int64]
    degenerate: NDArray[np.bool_]
    seam_margin: NDArray[np.float64]


class Symmetrised:
    """A policy that sees every observation in its frame, and whose actions are brought back; see `symmetrise`."""

    def __init__(self, policy: Any, door: Door, ignore: Sequence[str] = ()) -> None:
        self.policy, self.door, self.symmetry, self.ignore = policy, door, door.symmetry, tuple(ignore)

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why decisions can be exact in law only, in words; empty if they are exact wherever the frame is fixed."""
        return self.door.inexact

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
            The action `(size,)` or actions `(B, size)`, float64, and the state.

        Raises:
            ArgumentError: the observation is of the wrong shape, dtype or fields, or not finite.
        """
        if isinstance(observation, Mapping):
            observation = {name: value for name, value in observation.items() if name not in self.ignore}
        seen, batched = as_batch(self.symmetry, observation)
        inside = self.door.enter(seen)
        shown = inside.observation if batched else rows_of(inside.observation, 0)
        memory = None if state is None else SymmetrisedState(*state)
        action, inner = self.policy.predict(
            shown,
            state=None if memory is None else memory.inner,
            episode_start=episode_start,
            deterministic=deterministic,
        )
        # What is turned is not rounded again: in float32 the world would tell apart what was the same inside.
        actions = np.asarray(action, np.float64) if batched else np.asarray(action, np.float64)[None]
        turned = self.symmetry.transform_action(inside.element, actions)
        count = len(inside.margin)
        decisions = np.zeros(count, np.int64) if memory is None else np.array(memory.decisions)
        if memory is not None and episode_start is not None:
            decisions[np.atleast_1d(np.asarray(episode_start, bool))] = 0
        after = SymmetrisedState(inner, decisions + 1, inside.degenerate, inside.margin)
        return (turned if batched else turned[0]), after


def symmetrise(
    policy: Any,
    symmetry: Symmetry | Any,
    *,
    reference_pose: GroupElement | None = None,
    ignore: Sequence[str] = (),
    scales: Mapping[str, float] | None = None,
) -> Any:
    """Make any policy exactly equivariant, without training it again.

    The policy is asked about each observation as it looks in its frame (see `equiworld.symmetry.Door`), and its action
    is turned back: π′(g·o) = ρ(g)·π′(o) to the rounding of one rotation, whatever the policy is. It is *good* only
    where the frame's pose is one that the policy was trained on, and where the task itself turns: goals have to be
    observed.

    Args:
        policy: anything with `predict(observation, state, episode_start, deterministic)`, of stable-baselines3 say.
        symmetry: how observations and actions transform; or an environment, or its id, whose symmetry is registered.
        reference_pose: where the body stands in what the policy is shown: at the symmetry's centre, unturned, if None.
        ignore: keys of observations that no field declares; they are withheld from the policy.
        scales: by field, a typical size of its numbers; see `Door`.

    Returns:
        A policy with the same protocol. What decides behind a door already comes back as it is.

    Raises:
        ArgumentError: no policy, or actions that no frame has a place for.

    >>> import gymnasium as gym, equiworld as ew
    >>> class East:  # runs east: as far from equivariant as can be
    ...     def predict(self, obs, state=None, episode_start=None, deterministic=True):
    ...         return np.array([1.0, 0.0]), state
    >>> policy = symmetrise(East(), "equiworld/PushT-v0")
    >>> observation, _ = gym.make("equiworld/PushT-v0").reset(seed=0)
    >>> g = ew.SE2().rotation(2.0)
    >>> turned = ew.symmetry_of("equiworld/PushT-v0").transform_observation(g, observation)
    >>> bool(abs(policy.predict(turned)[0] - g.rotate(policy.predict(observation)[0])).max() < 1e-12)
    True
    """
    if not callable(getattr(policy, "predict", None)):
        raise ArgumentError("policy", type(policy).__name__, "an object with predict(observation, …)")
    if getattr(policy, "door", None) is not None:
        return policy
    return Symmetrised(policy, Door(symmetry_of(symmetry), None, scales, False, reference_pose), ignore)
