"""Groups of isometries: their elements, sampling, even coverings, exponential and logarithm.

>>> import numpy as np
>>> g = SE2().sample(np.random.default_rng(0))
>>> (g @ g.inverse()).is_close(SE2().identity())
True
"""

from equiworld.groups.decomposition import Block, Decomposition
from equiworld.groups.element import GroupElement
from equiworld.groups.euclidean import E2, E3, SE2, SE3
from equiworld.groups.families import common_group
from equiworld.groups.finite import Cyclic, Dihedral
from equiworld.groups.group import Group
from equiworld.groups.isometries import Isometries, left_right
from equiworld.groups.isotypic import IsotypicBlock
from equiworld.groups.labels import Labels
from equiworld.groups.orthogonal import O2, O3, SO2, SO3
from equiworld.groups.permutation import Permutation
from equiworld.groups.product import Product
from equiworld.groups.registry import GROUPS, group_from_name
from equiworld.groups.representation import Representation

__all__ = [
    "E2",
    "E3",
    "GROUPS",
    "O2",
    "O3",
    "SE2",
    "SE3",
    "SO2",
    "SO3",
    "Block",
    "Cyclic",
    "Decomposition",
    "Dihedral",
    "Group",
    "GroupElement",
    "Isometries",
    "IsotypicBlock",
    "Labels",
    "Permutation",
    "Product",
    "Representation",
    "common_group",
    "group_from_name",
    "left_right",
]
