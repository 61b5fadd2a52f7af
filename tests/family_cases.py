"""The registered families of world models, by what they are for."""

from __future__ import annotations

from equiworld.models import FAMILIES

STATE_FAMILIES = [
    name
    for name, family in FAMILIES.items()
    if not family.encoder.learns and not (family.network.of_finite_groups or family.network.of_bodies)
]
CLOUD_FAMILIES = [
    name for name, family in FAMILIES.items() if family.encoder.of_clouds and not family.network.of_bodies
]
STATE_LATENT_FAMILIES = [
    name for name, family in FAMILIES.items() if family.encoder.learns and not family.encoder.of_clouds
]
