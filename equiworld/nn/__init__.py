"""Equivariant layers and networks on typed features."""

from equiworld.nn.block import ResidualBlock
from equiworld.nn.bodies import BodiesNetwork, BodyChannels
from equiworld.nn.canonical import CanonicalNetwork
from equiworld.nn.clouds import CloudEncoder
from equiworld.nn.gate import gate
from equiworld.nn.gram_schmidt import orthonormal, soft_axes
from equiworld.nn.hull_attention import hull_attention
from equiworld.nn.invariants import bounded, cross, inner
from equiworld.nn.labelled import LabelledSteerableNetwork
from equiworld.nn.linear import EquivariantLinear
from equiworld.nn.mlp import MLP, SeededLinear
from equiworld.nn.steerable import SteerableNetwork
from equiworld.nn.tied import RegularNetwork, TiedLinear
from equiworld.nn.vectors import VectorLinear, quarter_turn, relative_vectors

__all__ = [
    "MLP",
    "BodiesNetwork",
    "BodyChannels",
    "CanonicalNetwork",
    "CloudEncoder",
    "EquivariantLinear",
    "LabelledSteerableNetwork",
    "RegularNetwork",
    "ResidualBlock",
    "SeededLinear",
    "SteerableNetwork",
    "TiedLinear",
    "VectorLinear",
    "bounded",
    "cross",
    "gate",
    "hull_attention",
    "inner",
    "orthonormal",
    "quarter_turn",
    "relative_vectors",
    "soft_axes",
]
