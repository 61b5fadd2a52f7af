"""The networks of dynamics, by name: one file and one line each."""

from equiworld.models.networks.averaged import Averaged
from equiworld.models.networks.bodies import Bodies
from equiworld.models.networks.canonical import Canonical
from equiworld.models.networks.network import Network
from equiworld.models.networks.plain import Plain
from equiworld.models.networks.regular import Regular
from equiworld.models.networks.soft import Soft
from equiworld.models.networks.steerable import Steerable

__all__ = ["NETWORKS", "Averaged", "Bodies", "Canonical", "Network", "Plain", "Regular", "Soft", "Steerable"]

NETWORKS: dict[str, type[Network]] = {
    "canonical": Canonical,
    "steerable": Steerable,
    "regular": Regular,
    "plain": Plain,
    "averaged": Averaged,
    "soft": Soft,
    "bodies": Bodies,
}
