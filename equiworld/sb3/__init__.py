"""Policies with stable-baselines3's protocol, whoever made them, behind the door."""

from equiworld.sb3.symmetrise import Symmetrised, SymmetrisedState, symmetrise

__all__ = ["Symmetrised", "SymmetrisedState", "symmetrise"]
