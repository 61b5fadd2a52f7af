"""An objective of one of several interchangeable bodies, the one that the goal names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.symmetry import Concatenation, Features, Field, Symmetry
from equiworld.symmetry.features import KINDS, Channel, Kind
from equiworld.symmetry.observing import channels_of
from equiworld.tasks.objective import Cost, Objective, Read, as_objective, in_goal, in_state

__all__ = ["Named"]


@dataclass(frozen=True)
class Named(Objective):
    """An objective of the body that the goal names: its x_k takes the place of the bodies' x₁ … xₙ, k = argmax w.

    The weights w, 1 for the named body and 0 for the others, are exchanged with the bodies: the order of these means
    nothing, and exchanging all alike changes no bit of what is chosen.

    Attributes:
        objective: which sees of each of the `fields` the named body's alone.
        weights: a field of n numbers of the goal, `Objects(Scalar(), n)`.
        fields: of the state, each of n bodies, `Objects(…, n)`.

    >>> from equiworld.tasks import PoseDistance
    >>> Named(PoseDistance("poses", "turns", "goal", "goal_turn", length=0.1), "named", ("poses", "turns")).weights
    'named'
    """

    objective: Objective
    weights: str
    fields: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "objective", as_objective(self.objective, "objective"))
        object.__setattr__(self, "fields", tuple(self.fields))

    @property
    def reads(self) -> frozenset[Read]:
        named = {in_goal(self.weights), *map(in_state, self.fields)}
        return frozenset(named) | self.objective.reads

    def bind(self, symmetry: Symmetry) -> Cost:
        weights = in_goal(self.weights).channel(symmetry)
        count = weights.stop - weights.start
        alone = {name: self._of_one(symmetry, name, count) for name in self.fields}
        inner = self.objective.bind(replace(symmetry, observation={**symmetry.observation, **alone}))
        parts = _parts(symmetry, self.fields, count)

        def cost(states: Features, actions: Tensor, goal: Features) -> Tensor:
            named = goal.select(weights)
            shares = torch.nn.functional.one_hot(named.argmax(-1), count).to(named.dtype).unbind(-1)
            chosen: dict[Kind, list[Tensor]] = {kind: [] for kind in KINDS}
            for bodies in parts:
                kind = bodies[0].kind
                found = [states.select(each) for each in bodies]
                if len(bodies) > 1:
                    ends = (None,) if kind == "scalars" else (None, None)
                    found = [share[(..., *ends)] * each for share, each in zip(shares, found, strict=True)]
                chosen[kind].append(sum(found[1:], found[0]))
            whole = {
                kind: torch.cat(each, -1) if each else getattr(states, kind) for kind, each in chosen.items()
            }
            return inner(Features(**whole), actions, goal)

        return cost

    def _of_one(self, symmetry: Symmetry, name: str, count: int) -> Field:
        """A field as that of one body."""
        parts = getattr(symmetry.observation.get(name), "parts", ())
        if name not in symmetry.state or not parts or len(parts) % count:
            raise ArgumentError(
                "Named.fields", repr(name), f"fields of the state, of {count} bodies each", symmetry.state
            )
        return parts[0] if len(parts) == count else Concatenation(parts[: len(parts) // count])


def _parts(symmetry: Symmetry, fields: Sequence[str], count: int) -> list[list[Channel]]:
    """The state's channels in order, those of several bodies one beside the other."""
    found: list[list[Channel]] = []
    for name, group in itertools.groupby(channels_of(symmetry, symmetry.state), key=lambda each: each[0]):
        channels = [channel for _, _, channel in group]
        each = len(channels) // count if name in fields else 1
        rows = [channels[k::each] for k in range(each)] if name in fields else [[one] for one in channels]
        found += rows
    return found
