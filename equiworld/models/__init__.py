"""World models: an encoder and dynamics, by a recipe; one line a family."""

from equiworld.models.encoders import ENCODERS, Cloud, Encoder, Identity, ObservationEncoder
from equiworld.models.families import FAMILIES, register_family
from equiworld.models.networks import (
    NETWORKS,
    Averaged,
    Bodies,
    Canonical,
    Network,
    Plain,
    Regular,
    Soft,
    Steerable,
)
from equiworld.models.post_hoc import averaged
from equiworld.models.recipe import Recipe
from equiworld.models.world_model import WorldModel

__all__ = [
    "ENCODERS",
    "FAMILIES",
    "NETWORKS",
    "Averaged",
    "Bodies",
    "Canonical",
    "Cloud",
    "Encoder",
    "Identity",
    "Network",
    "ObservationEncoder",
    "Plain",
    "Recipe",
    "Regular",
    "Soft",
    "Steerable",
    "WorldModel",
    "averaged",
    "register_family",
]
