"""Maps of joints that somebody wrote by hand: read in the forms that are in use, checked, and mended."""

from equiworld.verify.maps.check import MapCheck, check_map
from equiworld.verify.maps.fault import MapFault
from equiworld.verify.maps.functions import read_function
from equiworld.verify.maps.morphosymm import read_morphosymm
from equiworld.verify.maps.symmetry_map import SignedOrder, SymmetryMap

__all__ = [
    "MapCheck",
    "MapFault",
    "SignedOrder",
    "SymmetryMap",
    "check_map",
    "read_function",
    "read_morphosymm",
]
