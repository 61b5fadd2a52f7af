"""How arrays, observations and whole environments transform under a group of isometries."""

import equiworld.symmetry.cloudpush  # noqa: F401  registers
from equiworld.symmetry.features import Channel, Features, FeatureType
from equiworld.symmetry.fields import (
    Cloud,
    Concatenation,
    Field,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Vector,
)
from equiworld.symmetry.registry import register_symmetry, symmetry_of
from equiworld.symmetry.symmetry import Symmetry

__all__ = [
    "Channel",
    "Cloud",
    "Concatenation",
    "FeatureType",
    "Features",
    "Field",
    "Heading",
    "Point",
    "Pseudoscalar",
    "Pseudovector",
    "Rotation",
    "Scalar",
    "Symmetry",
    "Vector",
    "register_symmetry",
    "symmetry_of",
]
