"""A policy of planners that remember something: one for each environment of the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import integer, reals
from equiworld.errors import ArgumentError
from equiworld.planners.memory import checked_starts
from equiworld.symmetry.batches import each_row

__all__ = ["Member", "PerEnvironment", "PerEnvironmentState"]


class Member(Protocol):
    """What acts in one environment, and may remember its episode."""

    def reset(self, seed: int) -> None:
        """Forget everything: an episode begins. The same seed and observations are to give the same actions."""

    def __call__(self, observation: Any) -> ArrayLike:
        """The action `(size,)` for one observation."""


class PerEnvironmentState(NamedTuple):
    """What acts in each of B environments."""

    members: tuple[Any, ...]


class PerEnvironment:
    """Planners of another library, or whatever else has a memory of its own, as a policy with `predict`.

    The factory is called once for each row of the batch, when the policy is asked without a state; its members are
    handed from step to step in the state, so that two loops never share one. Where an episode begins, the member of
    its row is `reset(seed)`.

    Args:
        factory: makes a member: a callable `observation -> action` with `reset(seed)`.
        seed: of every member's episodes, as that of `MPCPolicy` is of every row's.

    Raises:
        ArgumentError: it is no function.

    >>> class Patient:  # moves after two steps
    ...     def reset(self, seed):
    ...         self.steps = 0
    ...     def __call__(self, observation):
    ...         self.steps += 1
    ...         return np.full(2, float(self.steps > 2))
    >>> policy, seen = PerEnvironment(Patient), {"place": np.zeros((2, 2))}
    >>> state = None
    >>> for step in range(3):
    ...     actions, state = policy.predict(seen, state, episode_start=[step == 0, step != 1])
    >>> actions[:, 0]
    array([1., 0.])
    """

    def __init__(self, factory: Callable[[], Member], seed: int = 0) -> None:
        if not callable(factory):
            raise ArgumentError("factory", type(factory).__name__, "a function that makes a member")
        self.factory, self.seed = factory, integer("seed", seed, least=0)
        self._free = np.random.default_rng(self.seed)

    @property
    def dtype(self) -> Any:
        """What the members compute in, if the factory says so."""
        return getattr(self.factory, "dtype", None)

    def predict(
        self,
        observation: NDArray[Any] | Mapping[str, NDArray[Any]],
        state: Any = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.floating], PerEnvironmentState]:
        """The action to take; stable-baselines3's protocol.

        Args:
            observation: of one environment, or of B of them, stacked.
            state: what the last call returned; None for new members.
            episode_start: `(B,)` bool, where a new episode begins; all of them if `state` is None, none otherwise.
            deterministic: the same seed in every episode; else a fresh one.

        Returns:
            The action `(size,)` or actions `(B, size)`, and the state.

        Raises:
            ArgumentError: the state or `episode_start` is of another kind or number of environments; or what the
                factory makes has no `reset`, is the same object twice, or acts by no finite numbers `(size,)`.
        """
        rows, batched = each_row(observation)
        members = self._made(len(rows)) if state is None else _recalled(state, len(rows))
        starts = np.full(len(rows), state is None)
        if episode_start is not None:
            starts = starts | checked_starts(episode_start, len(rows))
        actions = []
        for member, row, begins in zip(members, rows, starts, strict=True):
            if begins:
                member.reset(self.seed if deterministic else int(self._free.integers(2**31)))
            # A copy: members may fill one buffer again and again.
            actions.append(reals("factory", member(row)))
        shapes = {action.shape for action in actions}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            got = f"one whose members' actions are of shape {', '.join(map(str, sorted(shapes)))}"
            raise ArgumentError("factory", got, "actions (size,), all of one size")
        return (np.stack(actions) if batched else actions[0]), PerEnvironmentState(members)

    def _made(self, count: int) -> tuple[Member, ...]:
        members = tuple(self.factory() for _ in range(count))
        expected = "a new callable observation -> action with reset(seed) at each call"
        for member in members:
            if not _is_member(member):
                raise ArgumentError("factory", f"one that makes {type(member).__name__}", expected)
        if len({id(member) for member in members}) < count:
            raise ArgumentError("factory", "one that returns the same object twice", expected)
        return members


def _is_member(member: Any) -> bool:
    return callable(member) and callable(getattr(member, "reset", None))


def _recalled(state: Any, count: int) -> tuple[Member, ...]:
    """The members of a state, which must be of that many environments."""
    members = state[0] if isinstance(state, tuple | list) and len(state) == 1 else None
    if not isinstance(members, tuple | list) or not all(map(_is_member, members)):
        raise ArgumentError("state", f"a {type(state).__name__}", "what the last call returned, or None")
    if len(members) != count:
        raise ArgumentError("state", f"of {len(members)} environments", f"one of {count}, or None")
    return tuple(members)
