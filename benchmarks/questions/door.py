"""Is the decision at g·s the decision at s, turned? Closed loops of every planner, model and dtype."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch

from equiworld.benchmarks.peers import peer_versions
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.world import World
from equiworld.envs.pusht.simulation import PushTState
from equiworld.groups import Group
from equiworld.models import WorldModel
from equiworld.planners import PLANNERS as KINDS
from equiworld.planners import MPCPolicy, peer_policy
from equiworld.rollout import Policy, Replay
from equiworld.sb3 import symmetrise
from equiworld.verify.certificate import Certificate, certify

__all__ = ["DoorLoops"]

PLANNERS = {kind.__name__: kind() for kind in KINDS.values()}
"""Ours, with their defaults."""

PEER = "pytorch_mppi"
"""The planner of another library, behind `symmetrise`."""

NO_DOOR, OTHER_SEED = "CEM, no door", "CEM, other seed"
"""To compare with: what is inexact by design, and a policy that differs by the seed of its noise alone."""

ARGUMENTS: Mapping[str, dict[str, Any]] = {"pusht": {"walls": False}, "cloudpush": {"points": 128}}
SHIFTS = {"pusht": 100.0, "cloudpush": 1000.0}
"""The longest of elements [px|m]."""

FIRST = 8_000_000
"""Seed of the first episode."""


@dataclass(frozen=True)
class DoorLoops(TrainedQuestion):
    """Half of the episodes in the plane begin at whole numbers, where ties are likely; no policy is told an element.

    Aimed at: 1e-8 px in the plane, 1e-9 m in space.

    Models are small: the scale "full" is 20,000 transitions and 1,500 steps here, for clouds 5,000 and 500.

    Attributes:
        planner: ours by name, and another library's.
        dtype: to plan in.
        elements: random ones.
        episodes: at each.
        loop_steps: environment steps of each in the plane; half as many in space.
    """

    planner: tuple[str, ...] = (*PLANNERS, PEER)
    dtype: tuple[str, ...] = ("float32", "float64")
    elements: int = 16
    episodes: int = 4
    loop_steps: int = 120

    name = "door"
    title = "Is the decision at g·s the decision at s, turned, with every planner, model and dtype?"
    worlds, closed = tuple(ARGUMENTS), True
    arms = ("untrained", "plain", "equivariant")
    choosing = (*TrainedQuestion.choosing, "planner", "dtype")
    measures: ClassVar = {
        "deviation": Measure("px|m", "largest distance of an observed point from g·(that at s)", log=True),
        "floor": Measure("px|m", "the same where actions at s, turned, are replayed: physics", log=True),
        "crossings": Measure("1", "episodes at g·s with an action that is not that at s, turned, to 1e-9"),
        "decisions": Measure("1", "that were taken"),
        "degenerate": Measure("1", "of these, where nothing fixed the frame"),
        "solved": Measure("1", "episodes that succeed at s"),
        "solved_worst": Measure("1", "and at the worst element"),
        "moved": Measure("px|m", "the farthest that anything moved at s: a loop at rest proves nothing"),
    }
    small: ClassVar = {
        "planner": ("CEM", "MPPI"), "dtype": ("float32",), "elements": 2, "episodes": 2, "loop_steps": 6,
    }  # fmt: skip

    def points(self, world: str, arm: str) -> Iterator[Mapping[str, Any]]:
        """Planners and dtypes; what there is to compare with, once; of clouds the trained model alone."""
        if world != "cloudpush" or arm == "equivariant":
            yield from ({"planner": each, "dtype": dtype} for dtype in self.dtype for each in self.planner)
        if (world, arm) == ("pusht", "untrained"):
            yield from ({"planner": each, "dtype": "float32"} for each in (NO_DOOR, OTHER_SEED))

    def arm(self, name: str) -> Arm:
        """One that is not trained is equivariant too."""
        return super().arm("equivariant" if name == "untrained" else name)

    def scale_in(self, world: World) -> Scale:
        """The door's own is small: exactness does not need good models."""
        count, steps = (5_000, 500) if world.kind == "cloud" else (20_000, 1_500)
        half_width = world.scales["full"].half_width
        own = Scale(
            count, count // 10, half_width, (steps,), batch_size=512, encoder_steps=400, joint_steps=50
        )
        return super().scale_in(replace(world, scales={**world.scales, "full": own}))

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        planner = PLANNERS.get(cell.point["planner"].partition(", ")[0])
        return {**super().depends(cell), "planner": planner, "peers": peer_versions()}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        scale = self.scale_in(self.world(cell.world))
        scale = replace(scale, steps=(0,)) if cell.arm == "untrained" else scale
        policy = _Recorded(*_policies(self.model(cell, store, scale), cell))
        group = policy.symmetry.group
        found = self._certificate(policy, group, cell)
        first, elements = policy.runs[0], found.elements
        wanted = [[policy.symmetry.transform_action(g, each) for each in first] for g in elements]
        floor = self._certificate(_Replayed(iter([first, *wanted])), group, cell).max_deviation
        crossings = sum(_differing(*pair) for pair in zip(policy.runs[1:], wanted, strict=True))
        (orbit,), noise = found.orbits, cell.point["planner"] == OTHER_SEED
        return [
            {
                "deviation": orbit.repeat_deviation if noise else found.max_deviation,
                "floor": floor,
                "crossings": crossings,
                "decisions": found.decisions,
                "degenerate": found.degenerate,
                "solved": int((orbit.reference_success_step >= 0).sum()),
                "solved_worst": int((orbit.success_step >= 0).sum(1).min()),
                "moved": orbit.motion,
            }
        ]

    def _certificate(self, policy: Policy, group: Group, cell: Cell) -> Certificate:
        world, plane, first = self.world(cell.world), cell.world == "pusht", FIRST + 1000 * cell.seed
        starts = _round_starts(np.random.default_rng([cell.seed, 3]), self.episodes // 2) if plane else []
        begun = dict(enumerate(starts, first))

        def make() -> gym.Env:
            return _Begun(gym.make(world.env_id, disable_env_checker=True, **ARGUMENTS[cell.world]), begun)

        count: dict[str, Any] = {"elements": self.elements, "episodes": self.episodes}
        steps = self.loop_steps if plane else max(self.loop_steps // 2, 2)
        return certify(
            policy, make, group, **count, steps=steps, seed=first, translation_scale=SHIFTS[cell.world]
        )


def _policies(model: WorldModel, cell: Cell) -> Iterable[Any]:
    """That of the first run, and that of all others if it is another one."""
    planner, _, variant = cell.point["planner"].partition(", ")
    dtype = cell.point["dtype"]
    if planner == PEER:
        peer = peer_policy(PEER, model.to(getattr(torch, dtype)), seed=cell.seed)
        yield symmetrise(peer, model.symmetry, scales=model.scales)
        return
    for seed in (cell.seed, cell.seed + 1)[: 2 if variant == "other seed" else 1]:
        yield MPCPolicy(model, PLANNERS[planner], dtype=dtype, seed=seed, door=variant != "no door")


class _Recorded:
    """Policies, the first for one run and the last for all others, and the actions of each run.

    A run begins without a state.
    """

    def __init__(self, *policies: Any) -> None:
        self.policies, self.symmetry = policies, policies[0].symmetry
        self.runs: list[list[Any]] = []

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        if state is None:
            self.runs.append([])
        policy = self.policies[0 if len(self.runs) == 1 else -1]
        actions, after = policy.predict(observation, state, episode_start, deterministic)
        self.runs[-1].append(np.array(actions, np.float64))
        return actions, after


class _Replayed:
    """Recorded runs, one after the other."""

    def __init__(self, runs: Iterator[Sequence[Any]]) -> None:
        self.runs, self.replay = runs, Replay([])

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        if state is None:
            self.replay = Replay(next(self.runs))
        return self.replay.predict(observation, state)


def _differing(found: Sequence[Any], wanted: Sequence[Any]) -> int:
    """Episodes of two runs in which an action differs."""
    length = min(len(found), len(wanted))
    first, second = np.array(found[:length]), np.array(wanted[:length])
    apart = np.abs(first - second).max(-1) / np.abs(second).max()
    return int((apart > 1e-9).any(0).sum())


class _Begun(gym.Wrapper[Any, Any, Any, Any]):
    """The episodes of the first seeds begin at given starts."""

    def __init__(self, env: gym.Env, starts: Mapping[int, PushTState]) -> None:
        super().__init__(env)
        self.starts = starts

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        begun = {} if seed is None or seed not in self.starts else {"state": self.starts[seed]}
        return self.env.reset(seed=seed, options={**(options or {}), **begun})


def _round_starts(rng: np.random.Generator, count: int) -> list[PushTState]:
    """Starts at whole numbers: the agent on an edge's line, headings of whole quarters, nothing moving."""
    starts = [PushTState((215.0, 220.0), (0.0, 0.0), (200.0, 200.0, 0.0), (300.0, 300.0, 1.0))]
    while len(starts) < count:
        x, y = (float(number) for number in rng.integers(200, 310, 2))
        heading = float(rng.integers(-2, 3)) * math.pi / 2
        agent = (x + float(rng.choice([-120, -60, 0, 60, 120])), y + float(rng.choice([-120, 90, 120])))
        goal = (float(rng.integers(180, 330)), float(rng.integers(180, 330)), float(rng.integers(-3, 4)))
        starts.append(PushTState(agent, (0.0, 0.0), (x, y, heading), goal))
    return starts
