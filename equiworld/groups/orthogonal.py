"""Rotations and reflections about the origin."""

from __future__ import annotations

from equiworld.groups.arrays import Array
from equiworld.groups.continuous import ContinuousGroup, Planar, WithReflections

__all__ = ["O2", "O3", "SO2", "SO3"]


class SO2(Planar):
    """The rotations of the plane; with `axis` those of space about it.

    >>> import numpy as np
    >>> np.round(SO2().rotation(np.pi / 2).act([1.0, 0.0]), 12)
    array([0., 1.])
    >>> np.round(SO2(axis=(0.0, 0.0, 1.0)).rotation(np.pi / 2).act([1.0, 0.0, 7.0]), 12)
    array([0., 1., 7.])
    """

    proper = True
    has_translations = False


class O2(WithReflections, Planar):
    """The rotations and reflections of the plane; with `axis` those of space that keep it.

    >>> import numpy as np
    >>> mirror = O2().reflection(np.pi / 4)  # the line x = y stays
    >>> np.round(mirror.act([1.0, 0.0]), 12), float(mirror.determinant)
    (array([0., 1.]), -1.0)
    """

    proper = False
    has_translations = False

    def rotations(self) -> SO2:
        """SO2 about the same axis."""
        return SO2(None if self.axis is None else self.axis.direction)


class SO3(ContinuousGroup):
    """The rotations of space.

    >>> import numpy as np
    >>> np.round(SO3().rotation([0.0, 0.0, np.pi / 2]).act([1.0, 0.0, 0.0]), 12)
    array([0., 1., 0.])
    """

    dim = 3
    proper = True
    has_translations = False

    def _stabiliser(self, arrow: Array) -> SO2:
        return SO2(arrow)


class O3(WithReflections, ContinuousGroup):
    """The rotations and reflections of space.

    >>> O3().reflection([0.0, 0.0, 2.0]).act([1.0, 2.0, 3.0])
    array([ 1.,  2., -3.])
    """

    dim = 3
    proper = False
    has_translations = False

    def rotations(self) -> SO3:
        """SO3."""
        return SO3()

    def _stabiliser(self, arrow: Array) -> O2:
        return O2(arrow)
