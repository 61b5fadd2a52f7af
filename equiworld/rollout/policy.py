"""Policies: stable-baselines3's protocol, and the replay of recorded actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from equiworld.errors import ArgumentError

__all__ = ["Policy", "Replay", "as_policy", "dtype_of"]


class Policy(Protocol):
    """Stable-baselines3's protocol: observations in, actions out, memory as a state between calls."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Any, Any]:
        """Actions `(n, …)` and the next state for a batch of n observations.

        Args:
            observation: an array `(n, …)`, or a dict of them.
            state: None at first, then what the last call returned.
            episode_start: `(n,)` bool, whose episode begins with this observation.
            deterministic: whether to act without exploration.
        """
        ...


def as_policy(policy: Any) -> Policy:
    """The policy, if it is one."""
    if not callable(getattr(policy, "predict", None)):
        raise ArgumentError(
            "policy",
            type(policy).__name__,
            "an object with predict(obs, state=None, episode_start=None, deterministic=True)",
        )
    return policy


def dtype_of(policy: Any) -> str | None:
    """The dtype that a policy says it computes in; None if it does not say."""
    dtype = getattr(policy, "dtype", None)
    return None if dtype is None else str(dtype).removeprefix("torch.")


@dataclass(frozen=True)
class Replay:
    """Actions `(n, …)` one after the other, whatever is observed: a policy that leaves the world alone to differ.

    >>> replay = Replay([[1.0], [2.0]])
    >>> first, state = replay.predict(None)
    >>> replay.predict(None, state)
    ([2.0], 2)
    """

    actions: Sequence[Any]

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Any, int]:
        """The actions of the next step, the last ones again after the end; the state is the number of the step."""
        step = 0 if state is None else int(state)
        return self.actions[min(step, len(self.actions) - 1)], step + 1
