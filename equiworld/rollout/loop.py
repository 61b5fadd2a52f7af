"""The one loop that steps environments with a policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import array_of
from equiworld.errors import ArgumentError
from equiworld.rollout.policy import Policy
from equiworld.rollout.stepping import Begin, Take, reset_env, step_env

__all__ = ["Decision", "Start", "Step", "rollout", "stack"]


class Start(NamedTuple):
    """How an episode begins: `env.reset(seed=seed, options=options)`."""

    seed: int | None
    options: Mapping[str, Any] | None = None


class Decision(NamedTuple):
    """One call of the policy, for all rows of the batch at once.

    Attributes:
        actions: `(n, …)`.
        before: the policy's state before the call; None at first.
        after: its state after the call.
        active: `(n,)` bool, the rows whose episode goes on.
        seconds: how long the call took [s].
    """

    actions: NDArray[Any]
    before: Any
    after: Any
    active: NDArray[np.bool_]
    seconds: float


class Step(NamedTuple):
    """What an environment showed, at its reset and after each action.

    Attributes:
        env: the index of the environment.
        start: how the episode began.
        number: of steps that the episode has taken; 0 at its reset.
        observation: as the environment returned it.
        info: likewise.
        reward: of the step.
        terminated, truncated: as the environment returned them.
        action: that was taken; None at the reset.
        decision: the call of the policy that chose it; None at the reset.
        ended: whether the episode ends here.
    """

    env: int
    start: Start
    number: int
    observation: Any
    info: Mapping[str, Any]
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    action: Any = None
    decision: Decision | None = None
    ended: bool = False


def rollout(
    policy: Policy,
    envs: Sequence[gym.Env],
    starts: Iterable[Start],
    *,
    steps: int | None = None,
    ends: Callable[[Step], bool] | None = None,
    begin: Begin = reset_env,
    take: Take = step_env,
    drop_ended: bool = False,
    deterministic: bool = True,
) -> Iterator[Step]:
    """Step environments with a policy that acts for all of them in one call, one episode a start.

    Environment i begins with start i. Where an episode has ended the next start that is left begins in its environment,
    with `episode_start` true in its row; where none is left the row stays in the batch with its last observation, so
    that the policy's state keeps its rows. With as many starts as environments, episodes therefore run in lockstep.

    Args:
        policy: begins without a state.
        envs: not closed afterwards.
        starts: as many as there are environments are drawn first, each of the others when its episode begins.
        steps: of an episode, at most.
        ends: whether an episode ends with a step, its reset included; if None where the environment says so.
        begin: begins an episode in an environment; by default its reset, checked.
        take: takes a step in an environment; by default its step, checked.
        drop_ended: whether rows leave the batch when their episode has ended. The policy's state has to be a named
            tuple of arrays `(n, …)`; nothing begins in such an environment again.
        deterministic: handed to the policy.

    Yields:
        The reset and every step of every episode, environment by environment, as they happen.

    Raises:
        ArgumentError: the policy returned another number of actions than it was asked for.
        SimulationError: an environment failed, or returned what is not finite; says in which episode, at which step.

    >>> import equiworld.envs
    >>> class Still:
    ...     def predict(self, obs, state=None, episode_start=None, deterministic=True):
    ...         return np.zeros((len(obs["agent_pos"]), 2)), state
    >>> envs = [gym.make("equiworld/PushT-v0") for _ in range(2)]
    >>> [(step.env, step.number) for step in rollout(Still(), envs, map(Start, range(2)), steps=2)]
    [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    """
    left = iter(starts)
    first = [_Row(index, env, start) for (index, env), start in zip(enumerate(envs), left, strict=False)]
    rule = _Rule(begin, take, ends, steps)
    for row in first:
        yield from row.begin(rule, chain([row.start], left))
    batch, state = first, None
    while any(row.active for row in batch):
        if drop_ended and not all(row.active for row in batch):
            lasting = np.array([row.active for row in batch])
            batch, state = [row for row in batch if row.active], _rows_of(state, lasting)
        decision = _decide(policy, batch, state, deterministic)
        state = decision.after
        for row, action in zip(batch, decision.actions, strict=True):
            row.begins = False
            if not row.active:
                continue
            yield row.take(action, decision, rule)
            if not row.active and not drop_ended:
                yield from row.begin(rule, left)


class _Rule(NamedTuple):
    """How episodes begin, go on and end."""

    begin: Begin
    take: Take
    ends: Callable[[Step], bool] | None
    steps: int | None

    def settled(self, step: Step) -> Step:
        """The step, which now knows whether it is the last."""
        ended = step.terminated or step.truncated if self.ends is None else self.ends(step)
        return step._replace(ended=True) if ended or step.number == self.steps else step


@dataclass
class _Row:
    """One environment, and the episode that it is in."""

    index: int
    env: gym.Env
    start: Start
    number: int = 0
    active: bool = False
    begins: bool = True
    observation: Any = None

    def begin(self, rule: _Rule, starts: Iterable[Start]) -> Iterator[Step]:
        """Begin the first of the starts whose episode does not end with its reset."""
        for self.start in starts:
            self.observation, info = rule.begin(self.env, *self.start)
            self.number, self.begins = 0, True
            step = rule.settled(Step(self.index, self.start, 0, self.observation, info))
            self.active = not step.ended
            yield step
            if self.active:
                return

    def take(self, action: Any, decision: Decision, rule: _Rule) -> Step:
        """Take one step."""
        shown, reward, terminated, truncated, info = rule.take(self.env, action, self.start.seed, self.number)
        self.observation, self.number = shown, self.number + 1
        told = (shown, info, reward, terminated, truncated, action, decision)
        step = rule.settled(Step(self.index, self.start, self.number, *told))
        self.active = not step.ended
        return step


def stack(observations: Sequence[Any]) -> Any:
    """Single observations as one batch: arrays `(n, …)`, or a dict of them."""
    if isinstance(observations[0], Mapping):
        return {key: np.array([one[key] for one in observations]) for key in observations[0]}
    return np.array(observations)


def _decide(policy: Policy, batch: Sequence[_Row], state: Any, deterministic: bool) -> Decision:
    """One call of the policy for all rows."""
    observation, starts = stack([row.observation for row in batch]), np.array([row.begins for row in batch])
    began = time.perf_counter()
    actions, after = policy.predict(
        observation, state=state, episode_start=starts, deterministic=deterministic
    )
    seconds = time.perf_counter() - began
    actions = array_of("policy", actions)
    if actions.ndim == 0 or len(actions) != len(batch):
        raise ArgumentError(
            "policy", f"actions of shape {actions.shape}", f"one for each of {len(batch)} observations"
        )
    space = batch[0].env.action_space
    if isinstance(space, gym.spaces.Box) and (
        actions[0].size != np.prod(space.shape, dtype=int) or actions.dtype.kind not in "biuf"
    ):
        got = f"actions of shape {actions.shape[1:]}, {actions.dtype}"
        raise ArgumentError("policy", got, f"real numbers of shape {space.shape}")
    active = np.array([row.active for row in batch])
    return Decision(actions, state, after, active, seconds)


def _rows_of(state: Any, chosen: NDArray[np.bool_]) -> Any:
    """Some of the rows of a policy's state."""
    if state is None:
        return None
    if not hasattr(state, "_make"):
        raise ArgumentError(
            "drop_ended", type(state).__name__, "a policy whose state is a named tuple of arrays"
        )
    return state._make(part[chosen] for part in state)
