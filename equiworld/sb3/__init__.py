"""Policies with stable-baselines3's protocol, whoever made them, behind the door."""

from equiworld.sb3.functions import FunctionPolicy
from equiworld.sb3.symmetrise import symmetrise
from equiworld.sb3.symmetrised import Symmetrised, SymmetrisedState

__all__ = ["FunctionPolicy", "Symmetrised", "SymmetrisedState", "symmetrise"]
