"""Why a MuJoCo simulator is symmetric or not: its maps, what differs under them, and which difference it is."""

from equiworld.verify.mechanism.derive import DerivedMaps, derive_map, derive_maps
from equiworld.verify.mechanism.explain import explain
from equiworld.verify.mechanism.model_map import ModelMap
from equiworld.verify.mechanism.propose import Proposal, propose
from equiworld.verify.mechanism.report import Explanation, Mechanism

__all__ = [
    "DerivedMaps",
    "Explanation",
    "Mechanism",
    "ModelMap",
    "Proposal",
    "derive_map",
    "derive_maps",
    "explain",
    "propose",
]
