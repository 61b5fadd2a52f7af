"""The composition of a world model: a line of the registry, settings of the command line and a file's JSON at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from equiworld.arguments import flag
from equiworld.errors import ArgumentError
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Group
from equiworld.models.encoders import ENCODERS, Encoder, Identity
from equiworld.models.networks import NETWORKS, Canonical, Network, Steerable
from equiworld.settings import name_of, settings_from_dict, settings_to_dict
from equiworld.symmetry import Symmetry

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """An encoder, the network of the dynamics, and how both see the world.

    Kinds of one's own are registered first: `equiworld.models.NETWORKS["mine"] = Mine`.

    Attributes:
        network: of the dynamics.
        encoder: of observations.
        centred: whether points are seen from a point of the state's own; only baselines may do without.
        augmented: whether each training batch is moved by fresh elements of the full group.

    Raises:
        ArgumentError: a part of a kind that is not registered; points in world axes with an equivariant network.

    >>> recipe = Recipe(Canonical(hidden=(64, 64)))
    >>> Recipe.from_dict(recipe.to_dict()) == recipe, recipe.equivariant
    (True, True)
    >>> recipe.with_settings(periodic=0).network
    Canonical(hidden=(64, 64), periodic=0)
    """

    network: Network
    encoder: Encoder = Identity()  # noqa: RUF009  frozen
    centred: bool = True
    augmented: bool = False

    def __post_init__(self) -> None:
        name_of("network", self.network, NETWORKS)
        name_of("encoder", self.encoder, ENCODERS)
        for name in ("centred", "augmented"):
            object.__setattr__(self, name, flag(name, getattr(self, name)))
        if self.equivariant and not self.centred:
            raise ArgumentError("centred", self.centred, f"True with {self.network}, which is equivariant")

    @property
    def equivariant(self) -> bool:
        """Whether the model commutes with the group, exactly."""
        return self.network.equivariant

    def with_settings(self, **settings: Any) -> Recipe:
        """The same with other settings, by their names in the recipe, the encoder or the network.

        A name that both have, such as the `vectors` of a cloud's encoder and of a steerable network, is the encoder's;
        pass the whole `network=Steerable(vectors=…)` for the other.

        Raises:
            ArgumentError: a name that none of them has, or a value that it does not take.
        """
        recipe = replace(
            self, **{name: settings.pop(name) for name in list(settings) if name in _names(self)}
        )
        parts = {"encoder": recipe.encoder, "network": recipe.network}
        for name, value in settings.items():
            part = next((part for part, found in parts.items() if name in _names(found)), None)
            if part is None:
                options = [*_names(recipe.network), *_names(recipe.encoder), *_names(recipe)]
                named = (
                    name_of("network", recipe.network, NETWORKS),
                    name_of("encoder", recipe.encoder, ENCODERS),
                )
                expected = "settings of the network {!r}, the encoder {!r} and the recipe".format(*named)
                raise ArgumentError("settings", repr(name), expected, options)
            parts[part] = replace(parts[part], **{name: value})  # type: ignore[type-var]
        return replace(recipe, **parts)  # type: ignore[arg-type]

    def suited_to(self, symmetry: Symmetry) -> Recipe:
        """The recipe as it can carry a declaration: keypoints fix no frame that knows reflections."""
        mirrored = self.encoder.of_clouds and not symmetry.group.proper
        return (
            replace(self, network=Steerable()) if mirrored and isinstance(self.network, Canonical) else self
        )

    def augmentation(self, symmetry: Symmetry) -> Group | None:
        """The group whose elements move each training batch; None for no augmentation.

        Centred inputs have no use for translations.
        """
        if not self.augmented:
            return None
        group = symmetry.group
        for whole, part in ((SE2(), SO2()), (E2(), O2()), (SE3(), SO3()), (E3(), O3())):
            if group == whole:
                return part
        if group.has_translations:
            raise ArgumentError("group", group, "a group of rotations, with or without translations")
        return group

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "network": settings_to_dict("network", self.network, NETWORKS),
            "encoder": settings_to_dict("encoder", self.encoder, ENCODERS),
            "centred": self.centred,
            "augmented": self.augmented,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Recipe:
        """What `to_dict` wrote.

        Raises:
            UnknownNameError: a network or encoder that is not registered.
            ArgumentError: a setting that it does not have, or a value that it does not take.
        """
        add = "add a line to equiworld.models.{}"
        return Recipe(
            settings_from_dict("network", data["network"], NETWORKS, add.format("NETWORKS")),
            settings_from_dict("encoder", data["encoder"], ENCODERS, add.format("ENCODERS")),
            data["centred"],
            data["augmented"],
        )


def _names(settings: Any) -> list[str]:
    return [field.name for field in fields(settings)]
