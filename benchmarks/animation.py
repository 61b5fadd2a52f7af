"""The film of the demo in the plane: one task at several orientations, a row for each model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.closed_loop import TurnedTasks
from equiworld.envs.film import Moment
from equiworld.envs.pusht.film import PushTFilm
from equiworld.verify.elements import rotation_angle

__all__ = ["animate", "film"]

SHOWN = ("equivariant", "plain")


def animate(orbits: Mapping[str, TurnedTasks], path: Path, count: int = 4) -> Path:
    """Draw one task, chosen to tell most of how the models differ; the result's rows have all of them.

    Args:
        orbits: by model.
        path: of the GIF.
        count: orientations shown.
    """
    return film({name: orbits[name] for name in SHOWN}, count).save(path)


def film(orbits: Mapping[str, TurnedTasks], count: int) -> PushTFilm:
    """The most telling task of two models, ours first, at some orientations."""
    ours = next(iter(orbits.values()))
    index = np.linspace(0, len(ours.elements), count, endpoint=False).astype(int)
    task = _most_telling(orbits, index)
    angles = [round(np.degrees(rotation_angle(ours.elements[g])) % 360) for g in index.tolist()]
    titles = [f"turned {angle}°" if angle else "0° (as trained)" for angle in angles]
    return PushTFilm(
        {
            name: {title: _episode(orbit, g, task) for title, g in zip(titles, index.tolist(), strict=True)}
            for name, orbit in orbits.items()
        }
    )


def _episode(orbit: TurnedTasks, g: int, task: int) -> list[Moment]:
    """One episode of an orbit."""
    end, goal = int(orbit.steps()[g, task]), orbit.goals[g, task]
    return [
        Moment(
            {
                "agent_pos": orbit.agents[g, task, step],
                "block_pos": orbit.blocks[g, task, step, :2],
                "block_heading": orbit.blocks[g, task, step, 2:],
                "goal_pos": goal[:2],
                "goal_heading": goal[2:],
            },
            {"is_success": bool(orbit.success[g, task]) and step == end},
        )
        for step in range(end + 1)
    ]


def _most_telling(orbits: Mapping[str, TurnedTasks], index: NDArray[np.int_]) -> int:
    """Solved by the first model everywhere, by the second unturned but seldom turned; of those, the shortest."""
    ours, plain = orbits.values()
    unsolved = ~ours.success[index].all(0)
    keys = (
        ours.steps()[0],
        ~plain.success[0],
        plain.success[index[1:]].sum(0),
        unsolved,
    )  # the last counts most
    return int(np.lexsort(keys)[0])
