"""The baselines of the latent family: the same networks and the same training without the symmetry."""

from __future__ import annotations

from collections.abc import Sequence

from equiworld.groups import Group
from equiworld.models.latent import LatentModel
from equiworld.models.plain import CentredPlainModel, PlainModel, without_translations
from equiworld.models.registry import register_family
from equiworld.models.state import StateModel

__all__ = ["AugmentedLatentModel", "CentredPlainLatentModel", "PlainLatentModel"]


@register_family
class PlainLatentModel(LatentModel):
    """Point-wise perceptrons and pooling in world axes about the scene's centre, and a perceptron for the dynamics.

    The very encoder and dynamics of `latent`, with the world's axes for frames. Settings as there.
    """

    family = "latent-mlp"
    equivariant = False
    centred = False

    def _group(self) -> Group | None:
        return None

    def _dynamics(self, env_id: str, seed: int, hidden: Sequence[int], periodic: int) -> StateModel:
        kind = CentredPlainModel if self.centred else PlainModel
        return kind(self.latent, env_id, seed, hidden, periodic)


@register_family
class CentredPlainLatentModel(PlainLatentModel):
    """The plain latent model with clouds seen from their mean: translations done, rotations not."""

    family = "latent-mlp-centred"
    centred = True


@register_family
class AugmentedLatentModel(CentredPlainLatentModel):
    """The centred plain latent model, trained under fresh elements of the full group."""

    family = "latent-augmented"

    @property
    def augmentation(self) -> Group:  # type: ignore[override]
        return without_translations(self.symmetry.group)
