"""The baselines: the same body around networks without the symmetry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Group
from equiworld.models.registry import register_family
from equiworld.models.state import StateModel
from equiworld.nn import MLP
from equiworld.symmetry import Features, FeatureType, Symmetry

__all__ = ["AugmentedModel", "CentredPlainModel", "PlainModel"]


class _PlainNetwork(nn.Module):
    """A perceptron on the flattened features, in world axes."""

    def __init__(
        self,
        in_type: FeatureType,
        out_type: FeatureType,
        hidden: Sequence[int],
        periodic: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.out_type = out_type
        self.layers = MLP(in_type.size, out_type.size, hidden=hidden, periodic=periodic, generator=generator)

    def forward(self, features: Features) -> Features:
        return self.prepared()(features)

    def prepared(self) -> Callable[[Features], Features]:
        network = self.layers.prepared()
        return lambda features: Features.unflatten(network(features.flatten()), self.out_type)


@register_family
class PlainModel(StateModel):
    """The same class of perceptron without the symmetry: coordinates about the scene's centre, world axes.

    Args:
        symmetry: of the environment, for its types only.
        env_id: the environment's id.
        seed: of the initial weights.
        hidden: sizes of the hidden layers.
        periodic: learned sine features.
    """

    family = "mlp"
    centred = False

    def __init__(
        self,
        symmetry: Symmetry,
        env_id: str = "unregistered",
        seed: int = 0,
        hidden: Sequence[int] = (256, 256, 256),
        periodic: int = 128,
    ) -> None:
        self.hidden, self.periodic = tuple(hidden), periodic
        super().__init__(symmetry, env_id, {"seed": seed, "hidden": list(hidden), "periodic": periodic})

    def _network(self, generator: torch.Generator) -> nn.Module:
        return _PlainNetwork(self.in_type, self.out_type, self.hidden, self.periodic, generator)


@register_family
class CentredPlainModel(PlainModel):
    """The plain perceptron with inputs relative to the reference point: translations done, rotations not."""

    family = "mlp-centred"
    centred = True


@register_family
class AugmentedModel(CentredPlainModel):
    """The centred plain perceptron, each training batch turned by fresh elements of the full group."""

    family = "augmented"

    def __init__(
        self,
        symmetry: Symmetry,
        env_id: str = "unregistered",
        seed: int = 0,
        hidden: Sequence[int] = (256, 256, 256),
        periodic: int = 128,
    ) -> None:
        super().__init__(symmetry, env_id, seed, hidden, periodic)
        self.augmentation = without_translations(symmetry.group)


def without_translations(group: Group) -> Group:
    """The rotations (and reflections) of a group: centred inputs have no use for translations."""
    for whole, part in ((SE2(), SO2()), (E2(), O2()), (SE3(), SO3()), (E3(), O3())):
        if group == whole:
            return part
    if group.has_translations:
        raise ArgumentError("group", group, "a group of rotations, with or without translations")
    return group
