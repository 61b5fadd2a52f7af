"""Closed loops behind the door: is the path the same at every element, with every planner, model and dtype?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.envs.pusht.simulation import PushTState
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.planners import (
    CEM,
    ICEM,
    MPPI,
    GradientPlanner,
    MPCPolicy,
    Planner,
    RandomShooting,
    peer_policy,
)
from equiworld.rollout import Replay, Start, rollout
from equiworld.sb3 import symmetrise
from equiworld.symmetry import Concatenation, Point, Symmetry, symmetry_of

__all__ = ["PEER", "PLANNERS", "Loop", "loop_row", "policy_of", "round_starts", "run_loops"]

PLANNERS: dict[str, Planner] = {
    "CEM": CEM(),
    "ICEM": ICEM(),
    "MPPI": MPPI(),
    "GradientPlanner": GradientPlanner(),
    "RandomShooting": RandomShooting(),
}
PEER = "pytorch_mppi"
"""The planner of another library."""


def policy_of(model: WorldModel, planner: str, dtype: str, seed: int = 0, door: bool = True) -> Any:
    """A planner over a model: ours, or the other library's, behind the door or not."""
    if planner != PEER:
        return MPCPolicy(model, PLANNERS[planner], dtype=dtype, seed=seed, door=door)  # type: ignore[arg-type]
    policy = peer_policy(PEER, model.to(getattr(torch, dtype)), seed=seed)
    return symmetrise(policy, model.symmetry, scales=model.scales) if door else policy


def round_starts(rng: np.random.Generator, count: int) -> list[PushTState]:
    """Starts at whole numbers: the agent on an edge's line, headings of whole quarters, nothing moving."""
    starts = [PushTState((215.0, 220.0), (0.0, 0.0), (200.0, 200.0, 0.0), (300.0, 300.0, 1.0))]
    while len(starts) < count:
        x, y = (float(number) for number in rng.integers(200, 310, 2))
        heading = float(rng.integers(-2, 3)) * math.pi / 2
        agent = (x + float(rng.choice([-120, -60, 0, 60, 120])), y + float(rng.choice([-120, 90, 120])))
        goal = (float(rng.integers(180, 330)), float(rng.integers(180, 330)), float(rng.integers(-3, 4)))
        starts.append(PushTState(agent, (0.0, 0.0), (x, y, heading), goal))
    return starts


@dataclass(frozen=True)
class Loop:
    """Closed loops from s and from g·s.

    Attributes:
        deviation: `(G, E)`, the largest distance of an observed point from g·(that of the unturned loop).
        floor: `(G, E)`, the same where the unturned loop's actions, turned, are replayed: what of it is physics.
        success: `(G, E)`.
        moved: how far anything moved in the unturned loops.
        decisions: all that were taken.
        degenerate: of these, where nothing fixed the frame.
        crossings: decisions at g·s that were not those at s, turned.
    """

    deviation: NDArray[np.float64]
    floor: NDArray[np.float64]
    success: NDArray[np.bool_]
    moved: float
    decisions: int
    degenerate: int
    crossings: int


def _placed(symmetry: Symmetry, info: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What is observed and what is told as points; not clouds, whose sensors draw them anew."""
    shown = [name for name, field in symmetry.observation.items() if isinstance(field, Point)]
    return shown, [name for name, field in symmetry.info.items() if name in info and isinstance(field, Point)]


def _points(
    symmetry: Symmetry, observation: Mapping[str, Any], info: Mapping[str, Any]
) -> NDArray[np.float64]:
    """All points that are observed or told, one behind the other, `(n·d,)`."""
    shown, told = _placed(symmetry, info)
    return np.concatenate([*(observation[name] for name in shown), *(info[name] for name in told)])


def _start(options: Mapping[str, Any], g: GroupElement | None) -> Start:
    """The episode of these options, among them perhaps its seed, begun at g·s."""
    chosen = {key: value for key, value in options.items() if key != "seed"}
    return Start(options.get("seed"), chosen if g is None else {**chosen, "group_element": g})


def run_loops(
    policy: Any,
    envs: Sequence[gym.Env],
    options: Sequence[Mapping[str, Any]],
    elements: GroupElement,
    steps: int,
) -> Loop:
    """Run E episodes unturned and at each of G elements, in the same rows of a batch."""
    symmetry, count = symmetry_of(envs[0]), len(envs)

    def play(g: GroupElement | None, deciding: Any = policy) -> dict[str, Any]:
        starts = [_start(each, g) for each in options]
        points: list[list[NDArray[np.float64]]] = [[] for _ in range(steps + 1)]
        success, actions, total, flags = np.zeros(count, bool), list[Any](), 0, 0
        for step in rollout(deciding, envs, starts, steps=steps, ends=lambda step: False):
            points[step.number].append(_points(symmetry, step.observation, step.info))
            success[step.env] |= bool(step.number and step.info["is_success"])
            decision = step.decision
            if decision is not None and len(actions) < step.number:  # the first row of a call
                actions.append(decision.actions)
                if deciding is policy:
                    decided = decision.after.decisions != getattr(decision.before, "decisions", 0)
                    total += int(decided.sum())
                    flags += int((decision.after.degenerate & decided).sum())
        return {
            "points": np.array(points),
            "actions": np.stack(actions),
            "success": success,
            "flags": flags,
            "decisions": total,
        }

    first = play(None)
    shown, told = _placed(symmetry, envs[0].reset()[1])
    places = Concatenation((*(symmetry.observation[n] for n in shown), *(symmetry.info[n] for n in told)))

    def items(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points.reshape(*points.shape[:-1], -1, symmetry.dim)

    shape = (len(elements), count)
    deviation, floor, success = np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
    decisions, flags, crossings = first["decisions"], first["flags"], 0
    for index, g in enumerate(elements):
        again = play(g, Replay([symmetry.transform_action(g, each) for each in first["actions"]]))
        turned = play(g)
        expected = places.transform(g, first["points"], symmetry.centre)
        for found, target in ((turned, deviation), (again, floor)):
            target[index] = np.linalg.norm(items(found["points"] - expected), axis=-1).max((0, 2))
        wanted = again["actions"]
        apart = np.abs(turned["actions"] - wanted).max(-1) / np.abs(wanted).max()
        crossings += int((apart > 1e-9).any(0).sum())
        success[index] = turned["success"]
        decisions, flags = decisions + turned["decisions"], flags + turned["flags"]
    moved = float(np.linalg.norm(items(first["points"] - first["points"][:1]), axis=-1).max())
    return Loop(deviation, floor, np.vstack([first["success"], success]), moved, decisions, flags, crossings)


def loop_row(loop: Loop, **what: Any) -> dict[str, Any]:
    """One row of a table."""
    return {
        "part": "loop",
        **what,
        "deviation": float(loop.deviation.max()),
        "floor": float(loop.floor.max()),
        "success_unturned": int(loop.success[0].sum()),
        "success_worst": int(loop.success[1:].sum(1).min()),
        "episodes": loop.success.shape[1],
        "elements": len(loop.success) - 1,
        "moved": loop.moved,
        "decisions": loop.decisions,
        "degenerate": loop.degenerate,
        "crossings": loop.crossings,
    }
