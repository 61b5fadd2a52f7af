"""The closed loop, written down: one batch of episodes in lockstep, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import SimulationError
from equiworld.rollout import Begin, Decision, Policy, Start, Step, reset_env, rollout, stack
from equiworld.verify.success import Success

__all__ = ["Decisions", "Trace", "record"]

_REFUSALS = (ValueError, TypeError, KeyError, NotImplementedError)


@dataclass(frozen=True)
class Decisions:
    """How many decisions were taken in episodes that went on, and of how many the policy said that they are not exact.

    Known of policies whose state has `decisions`, `degenerate` and, possibly, `clipped`, `(E,)` each.

    Attributes:
        total: how many; 0 where the policy says nothing of them.
        degenerate: of these, where nothing fixed the frame.
        clipped: of these, where the action space cut off an action that turns.
    """

    total: int = 0
    degenerate: int = 0
    clipped: int = 0

    def __add__(self, other: Decisions) -> Decisions:
        parts = zip(astuple(self), astuple(other), strict=True)
        return Decisions(*(one + another for one, another in parts))

    @staticmethod
    def of(decision: Decision) -> Decisions:
        """Those of one call of a policy, in the episodes that go on."""
        taken = getattr(decision.after, "decisions", None)
        if taken is None:
            return Decisions()
        decided = decision.active & (np.asarray(taken) != getattr(decision.before, "decisions", 0))
        counts = (
            int((decided & np.asarray(getattr(decision.after, name, False))).sum())
            for name in ("degenerate", "clipped")
        )
        return Decisions(int(decided.sum()), *counts)


@dataclass(frozen=True)
class Trace:
    """A batch of E episodes of at most T steps, run in lockstep.

    Attributes:
        observations: T + 1 batches `(E, …)`; an episode that has ended shows its last one again.
        alive: `(T + 1, E)`, whether the observation belongs to the episode, or comes after its end.
        success_step: `(E,)`, the step after which it first succeeded; -1 for never.
        end_step: `(E,)`, the step after which it ended; -1 for one that went on.
        refused: by episode, why the environment would not begin it.
        last_infos: the last info of each episode; empty for one that never began.
        decisions: what a policy's state said of its decisions; see `Decisions`.
        actions: T batches `(E, …)` at most, as the policy gave them.
    """

    observations: list[Any]
    alive: NDArray[np.bool_]
    success_step: NDArray[np.int_]
    end_step: NDArray[np.int_]
    refused: dict[int, str]
    last_infos: list[Mapping[str, Any]]
    decisions: Decisions
    actions: list[NDArray[Any]]


def record(
    policy: Policy,
    envs: Sequence[gym.Env],
    starts: Sequence[Start],
    steps: int,
    success: Success,
    stop_at_success: bool,
    stand_ins: Any = None,
    begin: Begin = reset_env,
) -> Trace:
    """Run one episode in each environment, the policy acting for all of them at once.

    Args:
        policy: whose memory begins afresh.
        envs: E of them.
        starts: E of them, of different seeds.
        steps: T.
        success: what says whether a task is solved, asked at every step.
        stop_at_success: whether a success ends the episode, also as far as the environment could go on.
        stand_ins: `(E, …)` observations shown to the policy in the place of episodes that the environment
            refuses to begin, so that the other rows stay what they are; without them a refusal is an error.
        begin: begins the episode of a seed in an environment.

    Raises:
        SimulationError: the environment failed; says in which episode and at which step.
    """
    episodes, rows = range(len(envs)), {start.seed: row for row, start in enumerate(starts)}
    refused: dict[int, str] = {}
    alive = np.zeros((steps + 1, len(envs)), dtype=bool)
    success_step, end_step = np.full((2, len(envs)), -1)

    def begun(
        env: gym.Env, seed: int | None, options: Mapping[str, Any] | None
    ) -> tuple[Any, dict[str, Any]]:
        try:
            return begin(env, seed, options)
        except SimulationError as error:
            if stand_ins is None or not isinstance(error.__cause__, _REFUSALS):
                raise
            refused[rows[seed]] = " ".join(str(error.__cause__).split())
            return _row(stand_ins, rows[seed]), {}

    def ends(step: Step) -> bool:
        if not step.number:
            return step.env in refused
        success.check(step.info, step.observation)
        place = f"seed {step.start.seed}, step {step.number}"
        solved = bool(success.of(step.info, step.observation, place))
        if solved and success_step[step.env] < 0:
            success_step[step.env] = step.number
        # A termination that is no success is a failure that nothing sensible follows.
        ended = step.truncated or (step.terminated and not solved) or (solved and stop_at_success)
        if ended:
            end_step[step.env] = step.number
        return ended

    last: list[Any] = [None for _ in episodes]
    infos: list[Mapping[str, Any]] = [{} for _ in episodes]
    shown, taken, decisions = list[Any](), list[NDArray[Any]](), Decisions()
    for step in rollout(policy, envs, starts, steps=steps, ends=ends, begin=begun):
        if step.decision is not None and len(taken) < step.number:  # the first row of a call
            decisions = decisions + Decisions.of(step.decision)
            shown.append(stack(last))
            taken.append(step.decision.actions)
        last[step.env], infos[step.env] = _copied(step.observation), step.info
        alive[step.number, step.env] = step.env not in refused
    shown += [stack(last)] * (steps + 1 - len(shown))
    return Trace(shown, alive, success_step, end_step, refused, infos, decisions, taken)


def _row(obs: Any, index: int) -> Any:
    return {name: array[index] for name, array in obs.items()} if isinstance(obs, Mapping) else obs[index]


def _copied(obs: Any) -> Any:
    """A copy: some environments reuse their arrays."""
    return (
        {name: np.array(array) for name, array in obs.items()} if isinstance(obs, Mapping) else np.array(obs)
    )
