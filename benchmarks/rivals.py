"""The strongest rival of each task: whichever arm without the symmetry solves most of it, of those measured on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CONTESTS", "Contest"]

Row = Mapping[str, Any]
"""Of a store."""

Side = dict[Any, list[Row]]
"""An arm's rows by seed."""


@dataclass(frozen=True)
class Contest:
    """A task, one arm of ours that is named beforehand, and all arms whose model does not have the symmetry.

    The rival is chosen on the very rows that are compared, which favours it.

    Attributes:
        what: is solved.
        question: whose rows say so.
        ours: the arm.
        exact: further arms whose models have the symmetry; all others are rivals, at the door or not.
        where: the rows that count, by column; of an arm and seed all of them together.
        of_slice: whether the tasks are of the slice that arms are trained on.
    """

    what: str
    question: str
    ours: str
    exact: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict, hash=False)
    of_slice: bool = False

    def counts(self, row: Row) -> bool:
        """Whether a row says task by task what was solved, of this task."""
        return bool(row.get("tasks_solved")) and all(row.get(k) == v for k, v in self.where.items())

    def sides(self, rows: Iterable[Row]) -> tuple[Side, Side] | None:
        """Rows of the strongest rival and of ours, by the seeds that both have; None where one of them has none.

        Strongest is the largest share of tasks solved, of the rivals that share most seeds with ours: one lucky seed is
        no rival. Of several rows of a seed, those count that stand for the same `element` on both sides.
        """
        arms: dict[str, dict[Any, dict[Any, Row]]] = {}
        for row in rows:
            if self.counts(row):
                arms.setdefault(row["arm"], {}).setdefault(row["seed"], {})[row.get("element")] = row
        ours = arms.pop(self.ours, {})
        pairs = [_shared(of, ours) for name, of in arms.items() if name not in self.exact]
        most = max((len(rival) for rival, _ in pairs), default=0)
        full = [pair for pair in pairs if len(pair[0]) == most]
        return max(full, key=lambda pair: _solved(pair[0].values())) if most else None


def _shared(
    theirs: Mapping[Any, Mapping[Any, Row]], ours: Mapping[Any, Mapping[Any, Row]]
) -> tuple[Side, Side]:
    """The rows of both that stand for the same seeds and elements."""
    both: tuple[Side, Side] = {}, {}
    for seed in ours:
        elements = [each for each in ours[seed] if each in theirs.get(seed, {})]
        for side, of in zip(both, (theirs, ours), strict=True):
            if elements:
                side[seed] = [of[seed][each] for each in elements]
    return both


def _solved(rows: Iterable[Sequence[Row]]) -> float:
    every = "".join(str(row["tasks_solved"]) for some in rows for row in some)
    return every.count("+") / len(every)


_EYES = ("true", "ICP", "pose net", "pose net, any sensing", "latent")

CONTESTS: tuple[Contest, ...] = (
    Contest(
        "PushT, gym-pusht's own task",
        "success",
        "steerable",
        ("equivariant",),
        {"world": "pusht", "trial": "own"},
    ),
    Contest(
        "PushT, random goals",
        "success",
        "steerable",
        ("equivariant", "equivariant, all data"),
        {"world": "pusht", "trial": "random goals"},
    ),
    Contest(
        "PushT, 2,000 transitions (the primary comparison)",
        "data-efficiency",
        "steerable",
        ("equivariant",),
        {"world": "pusht", "group": "declared", "transitions": 2_000},
    ),
    Contest(
        "PushT, tasks of the slice at 8 elements",
        "closed-loop",
        "steerable",
        ("equivariant",),
        {"world": "pusht"},
    ),
    Contest(
        "PushT, tasks of the slice, every policy at the door",
        "in-slice-or-turned",
        "steerable",
        ("equivariant",),
        {"world": "pusht", "door": True},
        of_slice=True,
    ),
    Contest(
        "PushT by the peers' own predicate, at D4",
        "peers-task",
        "steerable",
        ("equivariant",),
        {"world": "swm-pusht", "part": "elements"},
    ),
    Contest(
        "PushT by the strict predicate, at D4",
        "peers-task",
        "steerable",
        ("equivariant",),
        {"world": "swm-pusht-strict", "part": "elements"},
    ),
    *(
        Contest(
            f"CloudPush, {place}",
            "eyes",
            "learned + canonical",
            tuple(f"{eyes} + canonical" for eyes in _EYES),
            {"world": "cloudpush", "where": where, "sensing": "clean"},
            of_slice=where == "in slice",
        )
        for where, place in (("in slice", "in the slice"), ("turned", "turned"))
    ),
)
