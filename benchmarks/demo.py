"""The demo: three questions about three models of one size on one world, a picture and a film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.arguments import integer
from equiworld.benchmarks.questions.closed_loop import ClosedLoop
from equiworld.benchmarks.questions.one_step import OneStep
from equiworld.benchmarks.questions.success import Success
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, grouped, orbit_figure
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.run import Run, run
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.timing import threads
from equiworld.benchmarks.worlds import world_of
from equiworld.benchmarks.worlds.loops import run_orbit
from equiworld.errors import UnknownNameError
from equiworld.files import write_atomically
from equiworld.results import make_result, text_table, write_json

__all__ = ["Demo"]

TITLES = {
    "pusht": "A T pushed onto its goal",
    "cloud": "A body pushed to its goal in space, from clouds of points",
}
FILES = {"pusht": "orientation", "cloud": "space"}
WORLDS = {"pusht": "pusht", "cloud": "cloudpush"}
ARMS = {"pusht": ("equivariant", "plain", "augmented"), "cloud": ("equivariant", "centred", "augmented")}
SHOWN = {"pusht": 4, "cloud": 2}
"""Elements in the film."""

QUICK = {"tasks": 2, "task_steps": 40, "episodes": 4, "episode_steps": 60}


@dataclass(frozen=True)
class Demo:
    """Train on a slice of orientations, then turn the world: one-step errors, tasks and paths at every orientation.

    Attributes:
        env: "pusht", a T in the plane; "cloud", a body in space that is seen as a cloud of points (extra `mujoco`).
        out: folder for the results; data and models are kept there too and not made again.
        seed: of weights, batches, tasks and planner.
        quick: a small version of everything, in about a minute; its numbers prove nothing.
        transitions: collected for training.
        steps: optimiser steps, the same for each model.
        half_width: of the slice of orientations that is trained on [deg].
        width: of hidden layers, or of an encoder's points, the same for each model.
        tasks: at each orientation.
        task_steps: environment steps in a task at most.
        episodes: of the environment's own task, at every orientation.
        episode_steps: environment steps in each of these at most.
        jobs: processes; as many as cores if None.
        progress: show a progress bar.
        pictures: draw the picture and the film.
    """

    env: str = "pusht"
    out: Path = Path("runs/demo")
    seed: int = 0
    quick: bool = False
    transitions: int | None = None
    steps: int | None = None
    half_width: float | None = None
    width: int | None = None
    tasks: int = 8
    task_steps: int = 100
    episodes: int = 50
    episode_steps: int = 200
    jobs: int | None = None
    progress: bool = True
    pictures: bool = True

    def check(self) -> None:
        """Refuse what makes no sense; before any work.

        Raises:
            ArgumentError: says which argument, and what was expected.
        """
        if self.env not in FILES:
            raise UnknownNameError("--env", self.env, FILES, "`equiworld demo --env NAME`")
        for name in ("tasks", "task_steps", "episodes", "episode_steps"):
            integer(name, getattr(self, name), least=1)
        integer("seed", self.seed, least=0)

    @property
    def files(self) -> list[str]:
        """What it writes to its folder beside the store."""
        name = FILES[self.env]
        return [f"{name}.json", *([f"{name}.png", f"{name}.gif"] if self.pictures else [])]

    def questions(self) -> list[TrainedQuestion]:
        """One-step errors over the orbit, tasks over the orbit, and the own task."""
        given = {name: getattr(self, name) for name in ("transitions", "steps", "half_width", "width")}
        given["scale"] = "demo-quick" if self.quick else "demo"
        count = {
            name: min(getattr(self, name), most) if self.quick else getattr(self, name)
            for name, most in QUICK.items()
        }
        plane, own = self.env == "pusht", tuple(world_of(WORLDS[self.env]).trials)[:1]
        return [
            OneStep(orbit=16 if plane else 7, elements=8, **given),
            ClosedLoop(
                orbit=8 if plane else 7, tasks=count["tasks"], task_steps=count["task_steps"], **given
            ),
            Success(episodes=count["episodes"], max_steps=count["episode_steps"], trial=own, **given),
        ]

    def run(self) -> dict[str, Any]:
        """Collect, train, evaluate, draw; what was finished before is kept and not made again."""
        self.check()
        questions = self.questions()
        settings = Run(
            self.out, (WORLDS[self.env],), ARMS[self.env], 1, self.seed, self.jobs, progress=self.progress
        )
        found = run(questions, settings)
        rows = [{"question": each["benchmark"], **row} for each in found for row in each["rows"]]
        config = {"demo": self, "questions": {each["benchmark"]: each["config"] for each in found}}
        result = make_result(FILES[self.env], config, rows, max(each["seconds"] for each in found))
        write_json(self.out / f"{FILES[self.env]}.json", result)
        if self.pictures:
            self._draw(rows, questions[1])
        return result

    def _draw(self, rows: Sequence[Row], question: TrainedQuestion) -> None:
        shown = [
            Panel(
                f"tasks solved, of {max(_tasks(rows))} at each angle (95 %)",
                "angle_deg",
                "success",
                share=True,
            ),
            Panel(
                f"median distance from the unturned path [{self._unit}]",
                "angle_deg",
                "deviation_median",
                log="y",
            ),
            Panel("one-step error (relMSE; 1: predicts no motion)", "angle_deg", "relative_error", log="y"),
        ]
        orbit = [
            row for row in rows if row.get("angle_deg") is not None and row.get("region") != "near walls"
        ]
        figure = orbit_figure(orbit, shown, question.half_width_of(rows), circle=True)
        name = FILES[self.env]
        if figure is not None:
            trained = f"trained within ±{question.half_width_of(rows):g}° of one orientation (shaded)"
            figure.suptitle(f"{TITLES[self.env]}: {trained}, tested with the whole scene turned", fontsize=12)
            write_atomically(self.out / f"{name}.png", partial(figure.savefig, format="png", dpi=130))
        with threads(1):  # as where it was measured
            film = self._film(rows, question)
        film.save(self.out / f"{name}.gif")

    def _film(self, rows: Sequence[Row], question: TrainedQuestion) -> Any:
        """One task, chosen to tell most of how two models differ, at some elements; the rows have all tasks."""
        assert isinstance(question, ClosedLoop)
        world, arms = world_of(WORLDS[self.env]), ARMS[self.env][:2]
        elements = world.orbit(question.orbit, self.seed)
        index = np.linspace(0, len(elements), SHOWN[self.env], endpoint=False).astype(int).tolist()
        solved = {
            arm: [row["tasks_solved"] for row in rows if row["arm"] == arm and "deviation_median" in row]
            for arm in arms
        }
        task = _most_telling([[solved[arm][g] for g in index] for arm in arms])
        starts = question.starts(Cell(question.name, world.name, arms[0], self.seed))[task : task + 1]
        angles = {row["element"]: row["angle_deg"] for row in rows if "deviation_median" in row}
        episodes: dict[str, dict[str, Any]] = {}
        for arm in arms:
            cell = Cell(question.name, world.name, arm, self.seed)
            policy = question.policy(cell, question.model(cell, Store(self.out)), question.dtype)
            arguments = world.loop_arguments(question.scale_in(world).half_width)
            orbit = run_orbit(
                policy, world, starts, [elements[g] for g in index], question.most_steps(world), arguments
            )
            episodes[arm] = {
                f"turned {angles[g]:.0f}°" if g else "0° (as trained)": row[0]
                for g, row in zip(index, orbit.episodes, strict=True)
            }
        return world.film(episodes)

    def report(self, result: Mapping[str, Any]) -> str:
        """Tables over the orbit, the own task, a sentence for each model."""
        rows = result["rows"]
        errors = {
            (row["arm"], round(row["angle_deg"], 6)): row
            for row in rows
            if row.get("part") == "orbit" and row.get("region") != "near walls"
        }
        lines: dict[float, dict[str, str]] = {}
        for row in rows:
            if "deviation_median" in row:
                line = lines.setdefault(row["angle_deg"], {"turned": f"{row['angle_deg']:.0f}°"})
                error = errors.get((row["arm"], round(row["angle_deg"], 6)))
                known = "" if error is None else f", relMSE {error['relative_error']:.2g}"
                line[row["arm"]] = (
                    f"{row['successes']}/{row['episodes']}, {row['deviation_median']:.1g} {self._unit} apart{known}"
                )
        own = [
            {
                "model": row["arm"],
                "parameters": row["parameters"],
                "solved": f"{row['successes']}/{row['episodes']}",
                "95 % interval": f"{row['success_low']:.1%} to {row['success_high']:.1%}",
            }
            for row in rows
            if row.get("trial")
        ]
        parts = [
            "Tasks solved, distance from the unturned path (median) and one-step error, by the angle of the world:",
            text_table(list(lines.values())),
            "The environment's own task, at every orientation:",
            text_table(own),
            *(self._sentence(arm, of) for arm, of in grouped(rows, "arm").items()),
        ]
        if self.quick:
            parts.append("Quick run: too little data, training and tasks for the numbers to mean much.")
        return "\n\n".join([*parts, f"{result['seconds']:.0f} s; results and pictures in {self.out}"])

    @property
    def _unit(self) -> str:
        return world_of(WORLDS[self.env]).unit

    def _sentence(self, arm: str, rows: Sequence[Row]) -> str:
        errors = [
            row["relative_error"]
            for row in rows
            if row.get("part") == "orbit" and row["region"] != "near walls"
        ]
        loops = [row for row in rows if "deviation_median" in row]
        solved, tasks = (sum(row[name] for row in loops[1:]) for name in ("successes", "episodes"))
        farthest = max(row["deviation_max"] for row in loops[1:])
        path = f"paths up to {farthest:.2g} {self._unit} apart"
        if farthest < 1e-6:
            path = f"the very same paths, turned: {farthest:.0e} {self._unit} apart at most"
        return (
            f"- {arm}: one-step error {errors[0]:.2g} seen, {max(errors):.2g} at worst "
            f"(×{max(errors) / errors[0]:.3g}); {loops[0]['successes']}/{loops[0]['episodes']} tasks unturned, "
            f"{solved}/{tasks} turned; {path}."
        )


def _tasks(rows: Sequence[Row]) -> list[int]:
    return [row["episodes"] for row in rows if "deviation_median" in row]


def _most_telling(solved: Sequence[Sequence[str]]) -> int:
    """Solved by the first model everywhere, by the second unturned but seldom turned.

    >>> _most_telling([["++", "++"], ["++", "+-"]])
    1
    """
    ours, plain = solved

    def key(task: int) -> tuple[int, int, bool]:
        missed = sum(at[task] != "+" for at in ours)
        return missed, sum(at[task] == "+" for at in plain[1:]), plain[0][task] != "+"

    return min(range(len(ours[0])), key=key)
