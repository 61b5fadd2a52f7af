"""World models: one interface, one file a family, one registry."""

from equiworld.models.canonical import CanonicalStateModel
from equiworld.models.latent import LatentModel
from equiworld.models.latent_plain import (
    AugmentedLatentModel,
    CentredPlainLatentModel,
    PlainLatentModel,
)
from equiworld.models.plain import AugmentedModel, CentredPlainModel, PlainModel
from equiworld.models.registry import FAMILIES, register_family
from equiworld.models.regular import RegularStateModel
from equiworld.models.state import StateModel
from equiworld.models.steerable import SteerableStateModel
from equiworld.models.world_model import WorldModel

__all__ = [
    "FAMILIES",
    "AugmentedLatentModel",
    "AugmentedModel",
    "CanonicalStateModel",
    "CentredPlainLatentModel",
    "CentredPlainModel",
    "LatentModel",
    "PlainLatentModel",
    "PlainModel",
    "RegularStateModel",
    "StateModel",
    "SteerableStateModel",
    "WorldModel",
    "register_family",
]
