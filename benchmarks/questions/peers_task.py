"""Is PushT solved by the peers' protocol, in stable-worldmodel's own environment?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equiworld.benchmarks.arms import arm_of
from equiworld.benchmarks.questions.closed_loop import ClosedLoop
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.rows import Measure, Row, share_of
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.timing import threads
from equiworld.benchmarks.suite.trained import CHOOSING, trained_inputs, trained_model
from equiworld.benchmarks.worlds import world_of
from equiworld.benchmarks.worlds.pusht import CLEAR_OF_WALLS, PUSHT
from equiworld.benchmarks.worlds.swm_pusht import JUDGED, draw_pairs, library, pairs_as_starts
from equiworld.benchmarks.worlds.world import World
from equiworld.envs.pusht import geometry
from equiworld.files import write_atomically
from equiworld.results import make_result, read_json, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PeersTask"]

EXPERT, ELSEWHERE = "equivariant", "published"
PUBLISHED: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "swm-pusht": {"LeWM": (0.96,), "PLDM": (0.78,), "DINO-WM": (0.74,), "TD-MPC2": (0.12,)},
    "swm-pusht-strict": {"LeWM": (0.703, 0.040)},
}
"""By world and method, the share of pairs solved and, if it is given, its spread, as authors of each protocol say."""


@dataclass(frozen=True)
class PeersTask(ClosedLoop):
    """Models trained on our PushT act in `swm/PushT-v1`; starts and goals lie in an expert's episodes there.

    The expert is the policy of an equivariant model with the training seed that no row has. All arms and seeds get the
    same pairs, none of them solved at the start, and are told poses and the agent's velocity, where the methods of
    published figures see pixels. The orbit is D4 about the centre of the walls.

    Attributes:
        tasks: pairs of start and goal.
        task_steps: budget of the environment's steps.
        offset: steps between start and goal in the expert's episode.
        expert_steps: of an expert's episode, at most.
        bins: of the angle between start and goal.
        allow_absent: go on without the library where it is not installed, and say so.
    """

    tasks: int = 100
    task_steps: int = 50
    offset: int = 25
    expert_steps: int = 120
    bins: int = 6
    allow_absent: bool = False

    name: ClassVar[str] = "peers-task"
    title: ClassVar[str] = "Is PushT solved by the peers' protocol, in stable-worldmodel's own environment?"
    worlds: ClassVar[tuple[str, ...]] = tuple(JUDGED)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "plain", "centred", "augmented")
    seeds: ClassVar[int] = 3
    coordinates: ClassVar[tuple[str, ...]] = ("part", *ClosedLoop.coordinates, "turn_deg")
    measures: ClassVar[dict[str, Measure]] = {
        **{name: ClosedLoop.measures[name] for name in ("success", "successes", "episodes")},
        "published": Measure(
            "1", "share solved as published ± its spread: from pixels, of other data and pairs"
        ),
        "differing": Measure("1", "pairs whose outcome is not the unturned one's"),
        "clear": Measure("1", "pairs whose T keeps 5 px off the walls at every element"),
        "differing_clear": Measure("1", "those of these whose outcome differs"),
        "deviation_clear": Measure("px", "as `deviation_max`, of these alone", log=True),
        **ClosedLoop.measures,
        "distance_px": Measure("px", "distance from the goal at the end as the predicate has it, median"),
        "solved_before": Measure("1", "pairs left out as they are solved at the start"),
        "digest": Measure("", "of the states of all pairs, which a file of that name beside the rows holds"),
        "note": Measure("", "why there are no numbers"),
    }
    small: ClassVar[dict[str, Any]] = {
        **{"orbit": 2, "tasks": 2, "task_steps": 8, "offset": 10, "expert_steps": 20, "allow_absent": True},
    }

    def world(self, name: str) -> World:
        """A world by its name."""
        return JUDGED[name] if name in JUDGED else world_of(name)

    def arm(self, name: str) -> Arm:
        """What is published depends on no arm here."""
        return super().arm(EXPERT if name == ELSEWHERE else name)

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        return ({},) if world in JUDGED else ()

    def cells(self, plan: Plan) -> list[Cell]:
        """As for every question, and unless arms are named one of published figures in each world."""
        found = super().cells(plan)
        worlds = () if plan.arms else dict.fromkeys(cell.world for cell in found)
        return found + [Cell(self.name, world, ELSEWHERE, plan.first_seed) for world in worlds]

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """The pairs and the predicate, too; refuses to go on without the library, unless that is allowed."""
        return {**super().depends(cell), "pairs": self._inputs(), "judged": JUDGED[cell.world].predicate}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row an element, and a row an interval of the angle between start and goal."""
        if cell.arm == ELSEWHERE:
            return [_published(who, *figures) for who, figures in PUBLISHED[cell.world].items()]
        if (absent := library(self.allow_absent)).startswith("absent"):
            return [{"note": absent}]
        known, digest = self.manifest(store)
        predicate = JUDGED[cell.world].predicate
        left = predicate.left_of(known)[: self.tasks]
        orbit = self.loops(cell, store, pairs_as_starts(known[left]))
        ends = orbit.ends()
        solved = np.array([[one["success"] for one in row] for row in ends])
        clear = np.array([[_wall_gap(one) > CLEAR_OF_WALLS for one in row] for row in orbit.episodes]).all(0)
        rows = [
            {
                **{"part": "elements", **row, "differing": int(differs.sum()), "clear": int(clear.sum())},
                "differing_clear": int(differs[clear].sum()),
                "deviation_clear": float(apart[clear].max(initial=0.0)),
                **{"solved_before": int(left[-1]) + 1 - len(left), "digest": digest},
            }
            for row, apart, differs in zip(
                self.by_element(orbit), orbit.deviations(), solved != solved[0], strict=True
            )
        ]
        turns = np.degrees(predicate.errors(known[left, 0], known[left, 1])[1])
        return rows + _by_angle(turns, ends[0], self.bins)

    def manifest(self, store: Store) -> tuple[Any, str]:
        """All pairs `(n, 2, 7)` and their digest, drawn if the store lacks them; a copy of their file lies beside."""

        def make(folder: Path) -> None:
            expert = trained_model(store, PUSHT, arm_of(EXPERT), CHOOSING, self.scale_in(PUSHT))
            with threads(1):  # bits may depend on how many there are
                drawn = draw_pairs(expert, self.tasks, self.offset, self.expert_steps)
            rows = [{"start": start, "goal": goal} for start, goal in drawn]
            write_json(folder / "pairs.json", make_result(f"{self.name} pairs", self._inputs(), rows, 0.0))

        modules = (draw_pairs.__module__, *PUSHT.modules())
        path = store.artefact("pairs", "swm-pusht", self._inputs(), modules, make) / "pairs.json"
        pairs = np.array([[row["start"], row["goal"]] for row in read_json(path)["rows"]])
        digest, content = hashlib.sha256(pairs.astype("<f8").tobytes()).hexdigest()[:16], path.read_bytes()
        write_atomically(store.folder / f"{self.name}-pairs-{digest}.json", lambda file: file.write(content))
        return pairs, digest

    def _inputs(self) -> dict[str, Any]:
        """What the pairs depend on."""
        settings = {name: getattr(self, name) for name in ("tasks", "offset", "expert_steps")}
        inputs = trained_inputs(PUSHT, arm_of(EXPERT), self.scale_in(PUSHT))
        return {**settings, **inputs, "planner": PUSHT.planner, "library": library(self.allow_absent)}

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Success by the angle between start and goal."""
        known = [row for row in rows if row.get("turn_deg") is not None]
        return panels(known, [Panel("pairs solved (95 %)", "turn_deg", "success", "angle [°]", share=True)])


def _published(who: str, figure: float, spread: float | None = None) -> Row:
    ends = {} if spread is None else {"published_low": figure - spread, "published_high": figure + spread}
    return {"part": ELSEWHERE, "arm": who, "published": figure, **ends}


def _wall_gap(episode: Sequence[Any]) -> float:
    """The least gap [px] between the T and the walls along an episode."""
    seen = (one.observation for one in episode)
    return float(min(geometry.wall_gap([*one["block_pos"], *one["block_heading"]]) for one in seen))


def _by_angle(turns: Any, ends: Sequence[Mapping[str, float]], bins: int) -> list[Row]:
    """Unturned, by the angle [deg] between start and goal; no row where there is no pair."""
    width, found = 180.0 / bins, list[Row]()
    which = np.minimum(turns // width, bins - 1)
    for each in np.unique(which):
        figures = [end for end, one in zip(ends, which, strict=True) if one == each]
        middle = float(each + 0.5) * width
        found.append({"part": "by angle", "turn_deg": middle, **share_of("success", figures)})
    return found
