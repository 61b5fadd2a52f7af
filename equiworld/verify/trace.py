"""The closed loop, written down: one batch of episodes, step by step, and how two of them compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import SimulationError
from equiworld.groups import GroupElement
from equiworld.symmetry import Cloud, Symmetry
from equiworld.symmetry.compiled_element import CompiledElement
from equiworld.verify.differences import field_errors
from equiworld.verify.lockstep import Policy, act, reset_env, stack, step_env
from equiworld.verify.success import Success

__all__ = ["Replay", "SeenTurned", "Trace", "compare", "ignored", "motion", "record"]

Array = NDArray[np.float64]
Begin = Callable[[gym.Env, int, Mapping[str, Any] | None], tuple[Any, dict[str, Any]]]

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
    def of(before: Any, after: Any, running: NDArray[np.bool_]) -> Decisions:
        """Those between two states of a policy, in the episodes that go on."""
        taken = getattr(after, "decisions", None)
        if taken is None:
            return Decisions()
        decided = running & (np.asarray(taken) != getattr(before, "decisions", 0))
        counts = (
            int((decided & np.asarray(getattr(after, name, False))).sum())
            for name in ("degenerate", "clipped")
        )
        return Decisions(int(decided.sum()), *counts)


@dataclass(frozen=True)
class Replay:
    """Actions `(E, …)` one after the other, whatever is observed: a policy that leaves the world alone to differ."""

    actions: Sequence[NDArray[Any]]

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], int]:
        """The actions of the next step, the last ones again after the end; the state is the number of the step."""
        step = 0 if state is None else int(state)
        return self.actions[min(step, len(self.actions) - 1)], step + 1


@dataclass(frozen=True)
class Trace:
    """A batch of E episodes of at most T steps, run in lockstep.

    Attributes:
        observations: T + 1 batches `(E, …)`; an episode that has ended shows its last one again.
        alive: `(T + 1, E)`, whether the observation belongs to the episode, or comes after its end.
        success_step: `(E,)`, the step after which it first succeeded; -1 for never.
        refused: by episode, why the environment would not begin it.
        last_infos: the last info of each episode; empty for one that never began.
        decisions: what a policy's state said of its decisions; see `Decisions`.
        actions: T batches `(E, …)` at most, as the policy gave them.
    """

    observations: list[Any]
    alive: NDArray[np.bool_]
    success_step: NDArray[np.int_]
    refused: dict[int, str]
    last_infos: list[Mapping[str, Any]]
    decisions: Decisions
    actions: list[NDArray[Any]]

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each episode succeeded, `(E,)`."""
        return self.success_step >= 0


class SeenTurned(gym.Wrapper[Any, Any, Any, Any]):
    """The same simulator, shown turned by g: observations g·s, actions taken as g⁻¹·a.

    Args:
        env: what is turned.
        symmetry: how.
        g: one element.
    """

    def __init__(self, env: gym.Env, symmetry: Symmetry, g: GroupElement) -> None:
        super().__init__(env)
        self._turn = CompiledElement(symmetry, g)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        return self._turn.show(*self.env.reset(seed=seed, options=options))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(self._turn.inner_action(action))
        observation, info = self._turn.show(observation, info)
        return observation, reward, terminated, truncated, info


def record(
    policy: Policy,
    envs: Sequence[gym.Env],
    seeds: Sequence[int],
    options: Mapping[str, Any] | None,
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
        seeds: E of them.
        options: for every reset.
        steps: T.
        success: what says whether a task is solved, asked at every step.
        stop_at_success: whether a success ends the episode, also as far as the environment could go on.
        stand_ins: `(E, …)` observations shown to the policy in the place of episodes that the environment
            refuses to begin, so that the other rows stay what they are; without them a refusal is an error.
        begin: begins the episode of a seed in an environment.

    Raises:
        SimulationError: the environment failed; says in which episode and at which step.
    """
    first: list[Any] = []
    infos: list[Mapping[str, Any]] = [{} for _ in envs]
    refused: dict[int, str] = {}
    for index, (env, seed) in enumerate(zip(envs, seeds, strict=True)):
        try:
            observation, infos[index] = begin(env, seed, options)
            first.append(observation)
        except SimulationError as error:
            if stand_ins is None or not isinstance(error.__cause__, _REFUSALS):
                raise
            refused[index] = " ".join(str(error.__cause__).split())
            first.append(_row(stand_ins, index))
    current = first
    alive = np.zeros((steps + 1, len(envs)), dtype=bool)
    alive[0] = [index not in refused for index in range(len(envs))]
    running = alive[0].copy()
    success_step = np.full(len(envs), -1)
    observations, state, decisions = [stack(current)], None, Decisions()
    taken: list[NDArray[Any]] = []
    for step in range(steps):
        if running.any():
            starts, before = np.full(len(envs), step == 0), state
            actions, state = act(policy, current, state, starts)
            decisions = decisions + Decisions.of(before, state, running)
            taken.append(actions)
            current = list(current)
        for index in np.flatnonzero(running).tolist():
            outcome = step_env(envs[index], actions[index], seeds[index], step)
            current[index], _, terminated, truncated, info = outcome
            infos[index] = info
            alive[step + 1, index] = True
            success.check(info, current[index])
            solved = bool(success.of(info, current[index], f"seed {seeds[index]}, step {step + 1}"))
            if solved and success_step[index] < 0:
                success_step[index] = step + 1
            # A termination that is no success is a failure that nothing sensible follows.
            running[index] = not (truncated or (terminated and not solved) or (solved and stop_at_success))
        observations.append(stack(current))
    return Trace(observations, alive, success_step, refused, infos, decisions, taken)


def compare(
    symmetry: Symmetry, g: GroupElement, trace: Trace, reference: Trace
) -> tuple[Array, dict[str, float]]:
    """How far a trace is from g·reference, as long as both episodes last.

    Returns:
        `(E, T + 1)`, the largest distance over the points observed, in their units (over all fields where no
        points are observed); NaN where one has ended. And by field the largest deviation over all of it:
        distances of points and vectors, differences of scalars, headings as unit vectors.
    """
    both = trace.alive & reference.alive
    deviations = np.full(both.shape, np.nan)
    by_field: dict[str, float] = dict.fromkeys(symmetry.observation, 0.0)
    for step in np.flatnonzero(both.any(1)).tolist():
        expected = symmetry.transform_observation(g, _doubled(reference.observations[step]))
        points: list[Array] = []
        others: list[Array] = []
        for name, kind, error in field_errors(symmetry, trace.observations[step], expected):
            by_field[name] = max(by_field[name], float(error[both[step]].max()))
            (points if kind == "points" else others).append(error)
        worst = np.max(points or others, axis=0)
        deviations[step, both[step]] = worst[both[step]]
    return deviations.T, by_field


def motion(symmetry: Symmetry, trace: Trace) -> float:
    """How far anything observed moved from where it began, at most: points, or all fields without points.

    Goals do not count, which may be the only points that are observed; nor do clouds: their order means nothing, so one
    drawn anew has moved without anything moving.
    """
    moved = 0.0
    for step in range(1, len(trace.observations)):
        alive = trace.alive[step]
        errors = [
            (kind, error)
            for name, kind, error in field_errors(symmetry, trace.observations[step], trace.observations[0])
            if not isinstance(symmetry.observation[name], Cloud) and name not in symmetry.goal
        ]
        points = [error for kind, error in errors if kind == "points"] or [error for _, error in errors]
        moved = max([moved, *(float(error[alive].max(initial=0.0)) for error in points)])
    return moved


def ignored(symmetry: Symmetry, g: GroupElement, trace: Trace, reference: Trace) -> bool:
    """Whether the episodes began at s where they should have begun at g·s."""
    begun = trace.alive[0] & reference.alive[0]
    first, start = trace.observations[0], reference.observations[0]
    expected = symmetry.transform_observation(g, _doubled(start))
    slack = 1e-6 * symmetry.length_scale

    def apart(one: Any, other: Any) -> float:
        return max(float(error[begun].max(initial=0.0)) for *_, error in field_errors(symmetry, one, other))

    return apart(first, start) < slack < apart(expected, start)


def _doubled(obs: Any) -> Any:
    """The observation in float64: turning it must not round it."""
    if isinstance(obs, Mapping):
        return {name: np.asarray(array, dtype=np.float64) for name, array in obs.items()}
    return np.asarray(obs, dtype=np.float64)


def _row(obs: Any, index: int) -> Any:
    return {name: array[index] for name, array in obs.items()} if isinstance(obs, Mapping) else obs[index]
