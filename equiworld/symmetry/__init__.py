"""How arrays, observations and whole environments transform under a group of isometries."""

from equiworld.symmetry.arrows import frame_of
from equiworld.symmetry.bodies import Objects, Permuted
from equiworld.symmetry.bound import Bound
from equiworld.symmetry.canonical import Canonical
from equiworld.symmetry.concatenation import Concatenation, Interleaved
from equiworld.symmetry.context import Context, is_kept, with_context
from equiworld.symmetry.door import Door
from equiworld.symmetry.features import Channel, Features, FeatureType
from equiworld.symmetry.fields import (
    Cloud,
    Field,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Vector,
)
from equiworld.symmetry.frame import Frame
from equiworld.symmetry.labelled import Orthogonal, SignedPermutation, SymmetricMatrix
from equiworld.symmetry.parts import Parts
from equiworld.symmetry.registry import register_symmetry, symmetry_of
from equiworld.symmetry.surfaces import Planes, Segments
from equiworld.symmetry.symmetry import Symmetry

__all__ = [
    "Bound",
    "Canonical",
    "Channel",
    "Cloud",
    "Concatenation",
    "Context",
    "Door",
    "FeatureType",
    "Features",
    "Field",
    "Frame",
    "Heading",
    "Interleaved",
    "Objects",
    "Orthogonal",
    "Parts",
    "Permuted",
    "Planes",
    "Point",
    "Pseudoscalar",
    "Pseudovector",
    "Rotation",
    "Scalar",
    "Segments",
    "SignedPermutation",
    "SymmetricMatrix",
    "Symmetry",
    "Vector",
    "frame_of",
    "is_kept",
    "register_symmetry",
    "symmetry_of",
    "with_context",
]
