"""The base class of the networks of dynamics: settings that build a module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn

from equiworld.models.state_layout import StateLayout
from equiworld.symmetry import Symmetry

__all__ = ["Network"]


class Network(ABC):
    """Settings of a network that maps features of `layout.in_type` to displacements of `layout.out_type`.

    Concrete ones are frozen dataclasses, of numbers and tuples of numbers only: files and the command line hold them.

    Attributes:
        equivariant: whether what it builds commutes with the group, exactly: tests hold it to that.
        of_finite_groups: whether it is for these alone.
        of_bodies: whether it is for interchangeable bodies alone.
        one_length: whether places have one unit of length, so that it may see them from one another.
    """

    equivariant: ClassVar[bool] = True
    of_finite_groups: ClassVar[bool] = False
    of_bodies: ClassVar[bool] = False
    one_length: ClassVar[bool] = False

    def carries(self, symmetry: Symmetry) -> bool:
        """Whether it commutes with all of a declaration whose labels mix channels."""
        return False

    def ties_labels(self, symmetry: Symmetry) -> bool:
        """Whether its weights are tied over a group's labels, and channels that they exchange are scaled alike."""
        return False

    @abstractmethod
    def build(self, layout: StateLayout, generator: torch.Generator) -> nn.Module:
        """The module, its weights drawn from the generator; with `prepared()`, if it has one, for many calls in a row.

        Raises:
            ArgumentError: the symmetry is none that it can carry.
        """
