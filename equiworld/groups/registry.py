"""The list of all families of groups: a line here, and names, products and the conformance tests know a new one."""

from __future__ import annotations

from equiworld.groups.euclidean import E2, E3, SE2, SE3
from equiworld.groups.families import GROUPS
from equiworld.groups.finite import Cyclic, Dihedral
from equiworld.groups.isometries import Isometries
from equiworld.groups.orthogonal import O2, O3, SO2, SO3
from equiworld.groups.permutation import Permutation
from equiworld.groups.product import Product

__all__ = ["GROUPS"]

GROUPS |= {
    "SO2": SO2,
    "O2": O2,
    "SE2": SE2,
    "E2": E2,
    "SO3": SO3,
    "O3": O3,
    "SE3": SE3,
    "E3": E3,
    "Cyclic": Cyclic,
    "Dihedral": Dihedral,
    "Permutation": Permutation,
    "Isometries": Isometries,
    "Product": Product,
}
