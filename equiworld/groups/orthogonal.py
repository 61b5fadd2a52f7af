"""Rotations and reflections about the origin."""

from __future__ import annotations

from equiworld.groups.continuous import ContinuousGroup, WithReflections

__all__ = ["O2", "O3", "SO2", "SO3"]


class SO2(ContinuousGroup):
    """The rotations of the plane.

    >>> import numpy as np
    >>> np.round(SO2().rotation(np.pi / 2).act([1.0, 0.0]), 12)
    array([0., 1.])
    """

    dim = 2
    proper = True
    has_translations = False


class O2(WithReflections, ContinuousGroup):
    """The rotations and reflections of the plane.

    >>> import numpy as np
    >>> mirror = O2().reflection(np.pi / 4)  # the line x = y stays
    >>> np.round(mirror.act([1.0, 0.0]), 12), float(mirror.determinant)
    (array([0., 1.]), -1.0)
    """

    dim = 2
    proper = False
    has_translations = False


class SO3(ContinuousGroup):
    """The rotations of space.

    >>> import numpy as np
    >>> np.round(SO3().rotation([0.0, 0.0, np.pi / 2]).act([1.0, 0.0, 0.0]), 12)
    array([0., 1., 0.])
    """

    dim = 3
    proper = True
    has_translations = False


class O3(WithReflections, ContinuousGroup):
    """The rotations and reflections of space.

    >>> O3().reflection([0.0, 0.0, 2.0]).act([1.0, 2.0, 3.0])
    array([ 1.,  2., -3.])
    """

    dim = 3
    proper = False
    has_translations = False
