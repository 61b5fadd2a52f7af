"""The list of all families of groups: a line here, and names, products and the conformance tests know a new one."""

from __future__ import annotations

from equiworld.groups.euclidean import E2, E3, SE2, SE3
from equiworld.groups.families import GROUPS, parsed_group
from equiworld.groups.finite import Cyclic, Dihedral
from equiworld.groups.group import Group
from equiworld.groups.isometries import Isometries
from equiworld.groups.orthogonal import O2, O3, SO2, SO3
from equiworld.groups.permutation import Permutation
from equiworld.groups.product import Product

__all__ = ["GROUPS", "group_from_name"]

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


def group_from_name(name: str) -> Group:
    """The group that a name such as "SE2" or "Cyclic(4)" stands for; inverse of `group.name`.

    Nothing is run: names of listed families, and numbers, lists and True or False as their arguments.

    Raises:
        UnknownNameError: No such family.
        ArgumentError: It is no such name, or an argument is missing, not wanted, or wrong.

    >>> group_from_name("SE2"), group_from_name("Cyclic(4)")
    (SE2(), Cyclic(4))
    """
    return parsed_group(name)
