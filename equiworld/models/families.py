"""The families of world models: one recipe a line."""

from __future__ import annotations

from dataclasses import replace

from equiworld.arguments import instance
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import Group
from equiworld.models.encoders import Cloud, State
from equiworld.models.networks import Averaged, Bodies, Canonical, Plain, Regular, Soft, Steerable
from equiworld.models.recipe import Recipe
from equiworld.symmetry import Field, Rotation, Symmetry
from equiworld.symmetry.bodies import clouds_in
from equiworld.symmetry.cosets import kernel_symmetry, needs_cosets

__all__ = ["FAMILIES", "best_family", "carried_symmetry", "recipe_of", "register_family"]

_MANY_TRANSITIONS = 10_000
_SMALL_PLAIN = Plain(hidden=(128, 128, 128), periodic=64)  # beside clouds: as large as the exact ones

FAMILIES: dict[str, Recipe] = {
    "state": Recipe(Canonical()),
    "state-steerable": Recipe(Steerable()),
    "state-regular": Recipe(Regular()),
    "state-bodies": Recipe(Bodies()),
    "mlp": Recipe(Plain(), centred=False),
    "mlp-centred": Recipe(Plain()),
    "augmented": Recipe(Plain(), augmented=True),
    "averaged": Recipe(Averaged()),
    "soft": Recipe(Soft()),
    "state-latent": Recipe(Steerable(), State()),
    "state-latent-mlp": Recipe(Plain(), State(), centred=False),
    "latent": Recipe(Canonical(), Cloud()),
    "latent-bodies": Recipe(Bodies(), Cloud()),
    "latent-mlp": Recipe(_SMALL_PLAIN, Cloud(), centred=False),
    "latent-mlp-centred": Recipe(_SMALL_PLAIN, Cloud()),
    "latent-augmented": Recipe(_SMALL_PLAIN, Cloud(), augmented=True),
}


def register_family(name: str, recipe: Recipe) -> None:
    """Add a family, or replace one.

    >>> register_family("small", Recipe(Canonical(hidden=(16,))))
    >>> FAMILIES.pop("small").network.hidden
    (16,)
    """
    if not isinstance(name, str) or not name or name == "auto":
        raise ArgumentError("name", name, "a name other than 'auto'")
    instance("recipe", recipe, Recipe)
    FAMILIES[name] = recipe


def recipe_of(family: str) -> Recipe:
    """The recipe of a family.

    Raises:
        UnknownNameError: no such family.
    """
    if family not in FAMILIES:
        how = "add one with equiworld.models.register_family"
        raise UnknownNameError("family", family, ["auto", *FAMILIES], how)
    return FAMILIES[family]


def best_family(symmetry: Symmetry, transitions: int | None = None) -> str:
    """The family for a declaration: of clouds, in the frame of a body that has one, or equivariant layer by layer.

    From few transitions, as far as is known how many there will be, the last plans better in PushT although it takes
    longer to decide (results/0.2.0.md).
    """
    fields = [(name, symmetry.observation[name]) for name in symmetry.state]
    clouds = max((clouds_in(field) for _, field in fields), default=0)
    if clouds:
        return "latent" if clouds == 1 else "latent-bodies"
    posed = any(isinstance(field, Rotation) or name == symmetry.heading for name, field in fields)
    if Bodies().carries(symmetry):
        return "state-bodies"
    if symmetry.group.finite and needs_cosets(symmetry):
        return "state-regular"
    if symmetry.group.axis is not None:  # vectors in space know no up
        return "state"
    if posed and (transitions is None or transitions >= _MANY_TRANSITIONS):
        return "state"
    return "state-steerable"


def carried_symmetry(recipe: Recipe, symmetry: Symmetry) -> Symmetry:
    """The declaration as a model carries it: where reflections or labels mix channels, of what moves none.

    A learned encoder knows no labels, unless bodies are exchanged as whole clouds.
    """
    exact = not recipe.encoder.learns or (recipe.encoder.of_clouds and recipe.network.of_bodies)
    if recipe.network.carries(symmetry) and exact:
        return symmetry
    if needs_cosets(symmetry):
        return kernel_symmetry(symmetry)
    fields = [*(symmetry.observation[name] for name in symmetry.state), symmetry.action]
    if symmetry.group.proper or not any(_mixes(field, symmetry.group) for field in fields):
        return symmetry
    return replace(symmetry, group=symmetry.group.rotations())


def _mixes(field: Field, group: Group) -> bool:
    """Whether labels of the group do more to a field's channels than R does."""
    return any((images != images[0]).any() for images in field.label_images(group).values())
