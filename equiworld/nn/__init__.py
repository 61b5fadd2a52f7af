"""Equivariant layers and networks on typed features."""

from equiworld.nn.block import ScalarVectorBlock
from equiworld.nn.canonical import CanonicalNetwork
from equiworld.nn.frames import (
    Frame,
    frame_from_axes,
    frame_from_heading,
    frame_from_two_vectors,
    identity_frame,
    orthonormal,
)
from equiworld.nn.gate import Gate, gate
from equiworld.nn.invariants import bounded, cross, inner
from equiworld.nn.linear import EquivariantLinear
from equiworld.nn.mlp import MLP, SeededLinear
from equiworld.nn.steerable import SteerableNetwork
from equiworld.nn.vectors import VectorLinear, quarter_turn, relative_vectors

__all__ = [
    "MLP",
    "CanonicalNetwork",
    "EquivariantLinear",
    "Frame",
    "Gate",
    "ScalarVectorBlock",
    "SeededLinear",
    "SteerableNetwork",
    "VectorLinear",
    "bounded",
    "cross",
    "frame_from_axes",
    "frame_from_heading",
    "frame_from_two_vectors",
    "gate",
    "identity_frame",
    "inner",
    "orthonormal",
    "quarter_turn",
    "relative_vectors",
]
