"""What is compared: a line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from equiworld.benchmarks.suite.arm import Arm
from equiworld.errors import UnknownNameError

__all__ = ["ARMS", "MAIN", "arm_of"]

_EXACT = {"state": "state", "cloud": "latent"}
_PLAIN = {"state": "mlp", "cloud": "latent-mlp"}
_CENTRED = {"state": "mlp-centred", "cloud": "latent-mlp-centred"}
_AUGMENTED = {"state": "augmented", "cloud": "latent-augmented"}

ARMS: Mapping[str, Arm] = {
    "equivariant": Arm(_EXACT, everywhere=True),
    "equivariant, all data": Arm(_EXACT, part="all", everywhere=True),
    "equivariant, small": Arm(
        {"cloud": "latent"}, settings={"width": 20, "hidden": [40] * 3, "periodic": 16}
    ),
    "steerable": Arm({"state": "state-steerable"}),
    "plain": Arm(_PLAIN),
    "plain, all data": Arm(_PLAIN, part="all"),
    "centred": Arm(_CENTRED),
    "augmented": Arm(_AUGMENTED),
    "augmented, 4 times the steps": Arm(_AUGMENTED, compute=4),
    "augmented, 16 times the steps": Arm(_AUGMENTED, compute=16),
    "large": Arm(_PLAIN, grow=4),
    "centred, large": Arm(_CENTRED, grow=4),
    "soft": Arm({"state": "soft"}),
    "averaged": Arm({"state": "mlp-centred"}, averaged=8),
}
"""By name; the family of each kind of world, what it is trained on, and how."""

MAIN = (
    "equivariant",
    "equivariant, all data",
    "equivariant, small",
    "steerable",
    "plain",
    "plain, all data",
    "centred",
    "augmented",
)
"""Those that every question can afford."""

_DOORS = {", door": True, ", no door": False}


def arm_of(name: str) -> Arm:
    """An arm by its name; ", door" and ", no door" after it say where its policies decide.

    Raises:
        UnknownNameError: no such arm; lists those there are.

    >>> arm_of("plain, door") == replace(ARMS["plain"], door=True, everywhere=True)
    True
    """
    for ending, door in _DOORS.items():
        base = name.removesuffix(ending)
        if base in ARMS and base != name:
            # Behind the door any policy is equivariant, and worth trying everywhere.
            return replace(ARMS[base], door=door, everywhere=door or ARMS[base].everywhere)
    if name not in ARMS:
        raise UnknownNameError("arm", name, ARMS, "add a line to equiworld.benchmarks.arms.ARMS")
    return ARMS[name]
