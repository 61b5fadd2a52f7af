"""An arm: what is compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from equiworld.errors import ArgumentError

__all__ = ["Arm", "Part"]

Part = Literal["slice", "all"]
"""Of the orientations: a slice about one of them, or all."""


@dataclass(frozen=True)
class Arm:
    """What is compared: a family of models, trained on a part of the data, and what is done with it afterwards.

    Attributes:
        families: of the model, by the kind of world ("state", "cloud").
        part: of the orientations that it is trained on.
        settings: of the model, beside its seed and what the scale says.
        everywhere: whether it is tried on all trials, not only on a world's own and on those of the slice.
        door: whether policies decide in the frame at the door; None: those of equivariant models do.
        compute: multiplies the steps of the optimiser.
        grow: multiplies the width of hidden layers, and the sine features, of a perceptron.
        averaged: elements that the trained model is averaged over; None for none.
        proper: whether the declared symmetry is cut to what is no reflection, for the model and for its policies.
        kept: whether it is cut to the subgroup that the world keeps, where something in it breaks the rest.
    """

    families: Mapping[str, str]
    part: Part = "slice"
    settings: Mapping[str, Any] = field(default_factory=dict)
    everywhere: bool = False
    door: bool | None = None
    compute: float = 1
    grow: float = 1
    averaged: int | None = None
    proper: bool = False
    kept: bool = False

    def varied(self, name: str, value: Any) -> Arm:
        """The arm with another value of one of its fields, or of a setting of its model."""
        if name in {each.name for each in fields(self)}:
            return replace(self, **{name: value})
        return replace(self, settings={**self.settings, name: value})

    @property
    def training(self) -> Arm:
        """The arm as far as training depends on it: arms that are alike in that share their models."""
        return replace(self, everywhere=False, door=None, averaged=None)

    def family(self, kind: str) -> str:
        """The family for a kind of world."""
        if kind not in self.families:
            raise ArgumentError(
                "--world", f"a world of {kind}s", "a world that the arm has a family for", self.families
            )
        return self.families[kind]
