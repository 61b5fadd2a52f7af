"""Which models are compared in space: families, and what each is trained on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ARMS", "SMALL", "Arm"]

SMALL = {"width": 20, "hidden": [40, 40, 40], "periodic": 16}


@dataclass(frozen=True)
class Arm:
    """One family, trained on one part of the data.

    Attributes:
        family: of the model.
        data: "slice" or "all".
        share: of the episodes.
        far: whether it is tried on far goals as well.
        small: with the few parameters of `SMALL`.
        shape: of the body. The others have less data and fewer steps: they are tried apart.
    """

    family: str
    data: str = "slice"
    share: float = 1.0
    far: bool = False
    small: bool = False
    shape: str = "bracket"


ARMS = {
    "equivariant": Arm("latent", far=True),
    "equivariant, all data": Arm("latent", "all", far=True),
    "equivariant, small": Arm("latent", share=0.5, small=True),
    "centred": Arm("latent-mlp-centred", share=0.5),
    "augmented": Arm("latent-augmented", share=0.5),
    "plain": Arm("latent-mlp", share=0.5),
    "body of revolution": Arm("latent", "all", share=0.5, shape="bottle"),
    "body with half a turn": Arm("latent", "all", share=0.5, shape="zed"),
}
"""What is compared, with the same rates. Planner, cost and the encoder's constants were chosen with equivariant
models; bodies with symmetries have half the data and steps."""
