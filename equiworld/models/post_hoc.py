"""What is done to a model after training, its weights as they are."""

from __future__ import annotations

import copy
from dataclasses import replace

from equiworld.errors import ArgumentError
from equiworld.models.networks import Averaged, Plain
from equiworld.models.networks.on_flat_features import OnFlatFeatures
from equiworld.models.world_model import WorldModel

__all__ = ["averaged"]


def averaged(model: WorldModel, elements: int) -> WorldModel:
    """A plain model of states, trained or not, whose displacements are averaged over elements of its group.

    Its headings are made orthonormal after the average. See `Averaged` for what that makes exact.

    Args:
        model: whose network is `Plain`; it is left as it is.
        elements: how many.

    Raises:
        ArgumentError: another network, or an encoder that learns, whose latents do not turn with the world.

    >>> import equiworld.envs
    >>> averaged(WorldModel.for_env("equiworld/PushT-v0", "mlp-centred"), 4).recipe.network.elements
    4
    """
    plain = model.recipe.network
    if not isinstance(plain, Plain) or model.recipe.encoder.learns:
        got = f"one of {type(plain).__name__} behind {type(model.recipe.encoder).__name__}"
        raise ArgumentError("model", got, "one of Plain, of states that are observed as they are")
    network = Averaged(plain.hidden, plain.periodic, elements)
    found = copy.deepcopy(model)
    found.family, found.recipe = "custom", replace(model.recipe, network=network)
    for part in found.dynamics.parts:
        assert isinstance(part.network, OnFlatFeatures)
        part.network = network.over(part.network, part.layout)
    return found
