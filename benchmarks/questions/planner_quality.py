"""Time to equal cost: how long until a plan is as good as that of the fastest peer?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.peers import OURS, Budget, contender, notes, peer_versions, present, recording
from equiworld.benchmarks.peers.learned import latent_states, latent_world
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.summary import summarised
from equiworld.benchmarks.suite.timing import TIMES, race, summary
from equiworld.benchmarks.suite.trained import trained_inputs, trained_model
from equiworld.benchmarks.worlds import world_of
from equiworld.benchmarks.worlds.toy import TOYS
from equiworld.planners.peers import World
from equiworld.results import text_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DEFAULTS", "PlannerQuality", "equal_cost"]

Key = tuple[str, int, int]
"""Contender, samples, iterations."""

COMMON = (300, 10)
TEN_COMMANDS: Key = ("pytorch_mppi", 100, 10)
DEFAULTS: Mapping[str, tuple[int, int]] = {
    "stable-worldmodel CEM": (300, 30),
    "stable-worldmodel iCEM": (300, 30),
    "stable-worldmodel MPPI": (300, 30),
    "pytorch_mppi": (100, 1),
    "pytorch_icem": (100, 100),
    "torchrl CEM": COMMON,
    "torchrl MPPI": COMMON,
}
"""Samples and iterations of a decision as each peer's library has them by default. torchrl has no defaults, and gets
what `planner-speed` gives to all. pytorch_mppi knows no iterations: a decision is one command, in a loop that carries
the plan from step to step. `TEN_COMMANDS`, as many as it has in `planner-speed`, are reported beside it."""

MODELS = {
    "pusht": Scale(50_000, 1_000, 180.0, (2000,)),
    "cloudpush": Scale(10_000, 200, 180.0, (1000,), encoder_steps=300, joint_steps=50),
}
"""How the models are trained that are planned in."""

_ARM = "equivariant, all data"
_FIRST = 8_000_000  # seed of the first task's reset


@dataclass(frozen=True)
class PlannerQuality(Question):
    """Everybody plans the same tasks in the same world, with budgets around the peers' own and over a grid of ours.

    What a budget is worth is the median cost of its plans over tasks × draws. The fastest peer is the one that decides
    soonest with the budget that its library comes with (`DEFAULTS`), the best peer the one whose plans then cost least.
    Time to equal cost is the least time of a budget of ours whose median cost is at most that peer's. Aimed at: half
    of the fastest peer's time, in each world, for one environment and for eight. Nobody gets a task's proposals, and
    nobody is tuned: all but samples, iterations, horizon and the first noise (of standard deviation 1) is default. The
    world's dynamics are the same function of Python for all; ours records rollouts of it, as it does in policies, which
    happens before times are taken.

    Attributes:
        tasks: in each world, the same for all.
        draws: of the noise, for each task.
        horizon: of each plan.
        samples: of ours, for each planner alike: each with each number of iterations.
        iterations: of ours.
        most: candidates of ours in all, at most.
        rounds: in which every contender decides once.
        seconds: after which no further round begins, for each number of environments.
        envs: decided for at once.
        resamples: of the tasks, for the intervals.
        share: of the samples and iterations that peers have by default.
        trained: whether models are trained as in `MODELS`; a few steps otherwise.
        allow_absent: go on without libraries that are not installed, and say so.
    """

    name: ClassVar = "planner-quality"
    title: ClassVar = "Time to equal cost: how long until a plan is as good as the fastest peer's?"
    timed: ClassVar = True
    closed: ClassVar = True
    worlds: ClassVar = ("point mass", "unicycle", "pusht", "cloudpush")
    arms: ClassVar = ("all",)
    coordinates: ClassVar = ("envs", "samples", "iterations", "against")
    measures: ClassVar = {
        **TIMES,
        "evaluations": Measure("1", "of the dynamics, counted, for each environment", log=True),
        "cost": Measure(
            "", "of the plan returned, summed; median over tasks and draws, bootstrap over tasks"
        ),
        "ratio": Measure("1", "least time of ours to the peer's cost, over the peer's time; aimed at ≤ 0.5"),
        "peer": Measure("", "with the budget whose cost is to be reached"),
        "planner": Measure("", "of ours, that is there first"),
        "note": Measure("", "why there are no numbers, or whose version is not the one pinned"),
    }
    small: ClassVar = {
        **{"tasks": 3, "draws": 1, "horizon": 4, "samples": (16, 32), "iterations": (1, 2), "rounds": 2},
        **{"resamples": 50, "share": 0.1, "trained": False, "allow_absent": True},
    }

    tasks: int = 20
    draws: int = 3
    horizon: int = 12
    samples: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    iterations: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 20)
    most: int = 6000
    rounds: int = 10
    seconds: float = 180.0
    envs: tuple[int, ...] = (1, 8)
    resamples: int = 1000
    share: float = 1.0
    trained: bool = True
    allow_absent: bool = False

    def __post_init__(self) -> None:
        integer("tasks", self.tasks, least=2)  # of one task there is no interval

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        present(allow_absent=self.allow_absent)  # refused before any work
        if cell.world in TOYS:
            return {"peers": peer_versions()}
        model = trained_inputs(world_of(cell.world), arm_of(_ARM), self._scale(cell.world))
        return {"peers": peer_versions(), **model}

    def modules(self, cell: Cell) -> Sequence[str]:
        own = super().modules(cell)
        return own if cell.world in TOYS else (*own, *world_of(cell.world).modules())

    def _scale(self, world: str) -> Scale:
        return MODELS[world] if self.trained and world in MODELS else world_of(world).scales["small"]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        world, states = self._posed(cell, store)
        found, absent = present(allow_absent=self.allow_absent)
        rows: list[Row] = [*notes(absent)]
        made = {key: contender(key[0], world, self._budget(key)) for key in self._keys(found)}
        costs, counts = dict[Key, NDArray[np.float64]](), dict[Key, int]()
        for key, each in made.items():
            plans = each.plan(states.repeat(self.draws, 1), cell.seed)
            paid = world.plan_cost(states.repeat(self.draws, 1), plans)
            costs[key] = paid.double().numpy().reshape(self.draws, -1)
            watched, asked = recording(world)
            contender(key[0], watched, self._budget(key)).decide(states[:1], cell.seed)
            counts[key] = sum(asked)
        own = [(name, *self._shared(DEFAULTS[name])) for name in found if name in DEFAULTS]
        alike = [(name, *self._shared(COMMON)) for name, _, _ in own]
        rng = np.random.default_rng([cell.seed, 5])
        drawn = rng.integers(states.shape[0], size=(self.resamples, states.shape[0]))
        for envs in self.envs:
            several = states.repeat(-(-envs // self.tasks), 1)[:envs]
            for each in made.values():
                each.warm_up(several)
            calls: dict[Any, Any] = {key: partial(each.decide, several) for key, each in made.items()}
            times: dict[Any, Any] = race(calls, self.rounds, limit=self.seconds)
            for key, found_ms in times.items():
                paid_for = {"samples": key[1], "iterations": key[2], "evaluations": counts[key]}
                row = {"arm": key[0], "envs": envs, **paid_for, **summary(found_ms)}
                rows.append(row | _cost(costs[key], drawn))
            medians = {key: float(np.median(each)) for key, each in times.items()}
            rows += [{"envs": envs, **row} for row in equal_cost(medians, costs, drawn, own, alike)]
        return rows

    def _posed(self, cell: Cell, store: Store) -> tuple[World, torch.Tensor]:
        if cell.world in TOYS:
            world, drawn = TOYS[cell.world]
            return world(), drawn(self.tasks, torch.Generator().manual_seed(cell.seed))
        where = world_of(cell.world)
        model = trained_model(store, where, arm_of(_ARM), cell.seed, self._scale(cell.world))
        first = _FIRST + 1_000 * cell.seed
        return latent_world(cell.world, model), latent_states(model, where, range(first, first + self.tasks))

    def _keys(self, names: Iterable[str]) -> list[Key]:
        """All budgets that are tried."""
        ours = [(s, i) for s in self.samples for i in self.iterations if s * i <= self.most]
        keys = list[Key]()
        for name in names:
            of = ours
            if name not in OURS:
                samples, iterations = self._shared(DEFAULTS[name])
                around = [(samples, max(iterations // 3, 1)), (samples // 2, iterations)]
                around += [self._shared(TEN_COMMANDS[1:])] if name == TEN_COMMANDS[0] else []
                of = list(dict.fromkeys([(samples, iterations), self._shared(COMMON), *around]))
            keys += [(name, *each) for each in of]
        return keys

    def _shared(self, default: tuple[int, int]) -> tuple[int, int]:
        samples, iterations = (max(1, round(self.share * number)) for number in default)
        return samples, iterations

    def _budget(self, key: Key) -> Budget:
        return Budget(key[1], self.horizon, key[2])

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Cost against time, a panel for each number of environments: budgets that no other of the arm betters."""
        from equiworld.benchmarks.suite.style import legend_below, new_figure

        by_envs = grouped([row for row in rows if "cost" in row], "envs")
        figure, places = new_figure(len(by_envs))
        for place, (envs, of) in zip(places, by_envs.items(), strict=True):
            shown = [row for each in grouped(of, "arm").values() for row in _frontier(each)]
            panel = Panel(f"{envs} at once: median cost", "median_ms", "cost", "ms a decision", log="x")
            panel.draw(place, shown)
        legend_below(figure)
        return figure

    def table(self, rows: Sequence[Row]) -> str:
        """How long ours take, as a share of each peer's time."""
        names = ("world", "envs", "against", "peer", "arm", "planner", "ratio", "ratio_low", "ratio_high")
        found = summarised(rows, self.measures)
        return text_table([{name: row.get(name) for name in names} for row in found if "against" in row])


def equal_cost(
    ms: Mapping[Key, float],
    costs: Mapping[Key, NDArray[np.float64]],
    drawn: NDArray[np.int_],
    own: Sequence[Key],
    alike: Sequence[Key],
) -> list[Row]:
    """How long each of ours takes to a peer's median cost, as a share of the time of that peer.

    Args:
        ms: of each budget.
        costs: of its plans, `(draws, tasks)`.
        drawn: numbers of tasks, `(resamples, tasks)`, for the intervals.
        own: each peer with its own defaults.
        alike: each peer with the budget that is the same for all.

    Returns:
        Rows with what is to be reached under `against`: of each planner of ours, and of the best of them, the fastest
        and the best peer of `own`, the fastest of `alike`, and ten commands of pytorch_mppi; of the best of ours each
        peer of `own` besides.
    """
    if not own:
        return []
    medians = {key: float(np.median(each)) for key, each in costs.items()}
    spread = {key: _medians(each, drawn) for key, each in costs.items()}
    arms = [name for name in OURS if any(key[0] == name for key in ms)]
    goals = [
        ("fastest", min(own, key=ms.__getitem__), arms),
        ("best", min(own, key=medians.__getitem__), arms),
        ("fastest of equal budgets", min(alike, key=ms.__getitem__), arms),
        *(("ten commands", key, arms) for key in ms if key == TEN_COMMANDS),
        *((key[0], key, []) for key in own),
    ]
    rows = []
    for against, goal, singly in goals:
        for arm, of in [("ours", arms), *((arm, [arm]) for arm in singly)]:
            mine = [key for key in ms if key[0] in of]
            there = [key for key in mine if medians[key] <= medians[goal]]
            row: Row = {"arm": arm, "against": against, "peer": "{} {} × {}".format(*goal), "ratio": None}
            if there:
                first = min(there, key=ms.__getitem__)
                shares = [np.where(spread[key] <= spread[goal], ms[key] / ms[goal], np.inf) for key in mine]
                low, high = np.quantile(np.min(shares, 0), (0.025, 0.975), method="inverted_cdf")
                row |= {"planner": "{} {} × {}".format(*first), "ratio": ms[first] / ms[goal]}
                row |= {
                    f"ratio_{end}": float(at) for end, at in (("low", low), ("high", high)) if at < np.inf
                }
            rows.append(row)
    return rows


def _frontier(rows: Sequence[Row]) -> list[Row]:
    """Those that no sooner one is as good as."""
    found = list[Row]()
    for row in sorted(rows, key=lambda row: row["median_ms"]):
        if not found or row["cost"] < found[-1]["cost"]:
            found.append(row)
    return found


def _medians(costs: NDArray[np.float64], drawn: NDArray[np.int_]) -> NDArray[np.float64]:
    """Of costs `(draws, tasks)` as they would be with other tasks, `(resamples,)`."""
    return np.median(costs[:, drawn], (0, 2))


def _cost(costs: NDArray[np.float64], drawn: NDArray[np.int_]) -> Row:
    low, high = np.quantile(_medians(costs, drawn), (0.025, 0.975))
    return {"cost": float(np.median(costs)), "cost_low": float(low), "cost_high": float(high)}
