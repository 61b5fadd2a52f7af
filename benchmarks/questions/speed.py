"""How fast are an environment's step, the group-action wrapper, and a planning decision?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch

from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.timing import RATIO, TIMES, median_ratio, race, summary, threads
from equiworld.benchmarks.worlds import world_of
from equiworld.envs import GroupAction
from equiworld.groups import SE2
from equiworld.models import WorldModel
from equiworld.rollout import Start, rollout

__all__ = ["Speed"]

STEPS, STOCK, OURS, WRAPPED = "steps", "stock step", "our step", " in GroupAction"
BLOCK = 50  # steps timed together, so that the clock itself does not count


@dataclass(frozen=True)
class Speed(Question):
    """Steps of PushT, gym-pusht's own and ours, in turn; decisions of untrained models, which are as fast as trained.

    Attributes:
        repeats: rounds of steps.
        decisions: along an episode of one environment, what it shows encoded in each.
        threads: of torch for decisions; 1 and torch's own choice if empty.
    """

    repeats: int = 60
    decisions: int = 200
    threads: tuple[int, ...] = ()

    name = "speed"
    title = "How fast are a step, the wrapper and a decision?"
    timed = True
    worlds = ("pusht", "cloudpush")
    arms = (STEPS, "equivariant", "steerable")
    choosing = ("threads",)
    small: ClassVar[Mapping[str, Any]] = {"repeats": 5, "decisions": 5, "threads": (1,)}
    measures: ClassVar[Mapping[str, Measure]] = {
        **TIMES,
        "worst_ms": Measure("ms", "longest time of a call", log=True),
        "per_second": Measure("1/s", "calls a second, at the median", log=True),
        "speed_up": Measure("1", "time of gym-pusht's step over this one's in the same round", log=True),
        "over_bare": RATIO,
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """None for what there is not in a world."""
        if arm == STEPS:
            return ({},) if world == "pusht" else ()
        if world_of(world).kind not in arm_of(arm).families:
            return ()
        counts = self.threads or sorted({1, torch.get_num_threads()})
        return [{"dtype": dtype, "threads": n} for dtype in ("float32", "float64") for n in counts]

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """World and family, as they are defined."""
        world = world_of(cell.world)
        found = {"world": world.described(), "trial": next(iter(world.trials.values()))}
        planner = [type(world.planner).__name__, world.planner]
        return found if cell.arm == STEPS else {**found, "arm": arm_of(cell.arm), "planner": planner}

    def modules(self, cell: Cell) -> Sequence[str]:
        """Those of the question and of its world."""
        return (*super().modules(cell), *world_of(cell.world).modules())

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """Rows of steps, or of decisions."""
        if cell.arm == STEPS:
            return self._steps(cell)
        with threads(cell.point["threads"]):
            return [self._decisions(cell)]

    def _steps(self, cell: Cell) -> list[Row]:
        """Steps that push the block, the same targets for all."""
        import gym_pusht  # noqa: F401  registers gym_pusht/PushT-v0

        g, rng = SE2().rotation(2.1), np.random.default_rng(cell.seed)
        stock = partial(gym.make, "gym_pusht/PushT-v0", obs_type="state", disable_env_checker=True)
        makers: dict[str, Callable[[], gym.Env]] = {STOCK: stock, OURS: world_of(cell.world).make}
        envs = {name: make() for name, make in makers.items()}
        envs |= {name + WRAPPED: GroupAction(make(), g) for name, make in makers.items()}
        rounds = []
        for _ in range(self.repeats):
            push, calls = rng.normal(size=2) * 30.0, {}
            for name, env in envs.items():
                env.reset(seed=cell.seed)
                # The same push for all: a target for gym-pusht's own, a displacement for ours.
                action: Any = np.array([256.0, 256.0]) + push if name.startswith(STOCK) else push * 0.2
                if isinstance(env, GroupAction):
                    action = env.symmetry.transform_action(g, action)
                calls[name] = partial(_push, env, action)
            rounds.append(race(calls, 1, warm_up=0))
        for env in envs.values():
            env.close()
        times = {name: np.concatenate([one[name] for one in rounds]) / BLOCK for name in envs}
        rows = []
        for name, each in times.items():
            row = {"arm": name, **_row(each), **median_ratio(times[STOCK], each, "speed_up")}
            bare = name.removesuffix(WRAPPED)
            rows.append(row | (median_ratio(each, times[bare], "over_bare") if bare != name else {}))
        return rows

    def _decisions(self, cell: Cell) -> Row:
        """A policy in one environment, which decides at every step."""
        world = world_of(cell.world)
        trials = next(iter(world.trials.values()))
        env = world.make(**trials.arguments)
        try:
            model = WorldModel.for_env(env, arm_of(cell.arm).family(world.kind), seed=cell.seed)
            policy = world.policy(model, cell.seed, cell.point["dtype"])
            policy.predict(env.reset(seed=trials.first + 700_000)[0])  # not timed
            running = rollout(policy, [env], [Start(trials.first + 700_000)], steps=self.decisions)
            seconds = [step.decision.seconds for step in running if step.decision is not None]
        finally:
            env.close()
        return _row(1e3 * np.array(seconds))


def _push(env: gym.Env, action: Any, _: int) -> None:
    for _ in range(BLOCK):
        env.step(action)


def _row(times: np.ndarray) -> Row:
    found = summary(times)
    return {**found, "worst_ms": float(times.max()), "per_second": 1e3 / found["median_ms"]}
