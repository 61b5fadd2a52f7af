"""World models: one interface, one file a family, one registry."""

from equiworld.models.registry import FAMILIES, register_family
from equiworld.models.state import (
    AugmentedModel,
    CanonicalStateModel,
    CentredPlainModel,
    PlainModel,
    StateModel,
    SteerableStateModel,
)
from equiworld.models.world_model import WorldModel

__all__ = [
    "FAMILIES",
    "AugmentedModel",
    "CanonicalStateModel",
    "CentredPlainModel",
    "PlainModel",
    "StateModel",
    "SteerableStateModel",
    "WorldModel",
    "register_family",
]
