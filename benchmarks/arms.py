"""What is compared: a line each."""

from __future__ import annotations

from collections.abc import Mapping

from equiworld.benchmarks.suite.trained import Arm
from equiworld.errors import UnknownNameError

__all__ = ["ARMS", "arm_of"]

ARMS: Mapping[str, Arm] = {
    "equivariant": Arm({"state": "state", "cloud": "latent"}, everywhere=True),
    "equivariant, all data": Arm({"state": "state", "cloud": "latent"}, part="all", everywhere=True),
    "equivariant, small": Arm(
        {"cloud": "latent"}, settings={"width": 20, "hidden": [40] * 3, "periodic": 16}
    ),
    "steerable": Arm({"state": "state-steerable"}),
    "plain": Arm({"state": "mlp", "cloud": "latent-mlp"}),
    "centred": Arm({"state": "mlp-centred", "cloud": "latent-mlp-centred"}),
    "augmented": Arm({"state": "augmented", "cloud": "latent-augmented"}),
}
"""By name; the family of each kind of world, and what it is trained on."""


def arm_of(name: str) -> Arm:
    """An arm by its name.

    Raises:
        UnknownNameError: no such arm; lists those there are.
    """
    if name not in ARMS:
        raise UnknownNameError("arm", name, ARMS, "add a line to equiworld.benchmarks.arms.ARMS")
    return ARMS[name]
