"""Observations as typed numbers, for networks that are equivariant layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from gymnasium import spaces
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.groups import Representation
from equiworld.models.labels import block_images
from equiworld.nn import MLP, LabelledSteerableNetwork, RegularNetwork, SteerableNetwork, TiedLinear
from equiworld.sb3.observation_form import Channels, ObservationForm
from equiworld.sb3.sight import Sight
from equiworld.symmetry import Features, FeatureType, Symmetry
from equiworld.symmetry.images import block_diagonal

__all__ = ["SteerableForm", "SteerableOnRows", "orthogonal"]


class SteerableForm(ObservationForm):
    """Observations as they are, in units of their scales, points as vectors from the origin of the body.

    It also makes the networks that such numbers go through: weights tied along orbits for finite groups, scalars and
    vectors for the others.

    Args:
        observation_space: that the symmetry declares.
        symmetry: of observations and actions.
        scales: see `ObservationForm`.
    """

    def __init__(
        self, observation_space: spaces.Space, symmetry: Symmetry, scales: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(observation_space, symmetry, scales)
        group = self.symmetry.group
        fields = [self.symmetry.observation[name] for name in self.names]
        seen, acted = (block_images(each, self.symmetry) for each in (fields, [self.symmetry.action]))
        labels = group.labels

        def both(images: dict) -> tuple[Representation, Representation]:
            arrows = block_diagonal([images["vectors"], images["points"]])
            return Representation(labels, images["scalars"]), Representation(labels, arrows)

        self.seen_images, self.acted_images = both(seen), both(acted)
        kind, action = self.kind, self.actions.kind
        self.seen_type = FeatureType(kind.dim, kind.scalars, kind.vectors + kind.points)
        self.acted_type = FeatureType(kind.dim, action.scalars, action.vectors + action.points)
        self.tied = group.finite
        if self.tied:
            self.rows = Representation(labels, self.images()), Representation(labels, self.actions.images)

    def _see(self, channels: Channels) -> Sight:
        origin = self.door.stand(channels["points"])
        points = channels["points"] - origin.unsqueeze(-1)
        return Sight(self.row({**channels, "points": points}), None, self.shift(origin))

    def network(
        self,
        outputs: str | int,
        hidden: Sequence[int],
        activation: Callable[[], nn.Module],
        with_action: bool = False,
    ) -> nn.Module:
        """A network on rows of numbers, its initial weights from torch's generator as those of stable-baselines3.

        Args:
            outputs: "action" for its channels, "noisy action" for what `split` takes apart into these and a number for
                each of their blocks; or how many invariants.
            hidden: sizes of the hidden layers, in numbers. Of blocks of scalars and vectors, which are as many as sizes
                and all alike, one half are scalars and the other one vectors, of two or three numbers each.
            activation: of tied layers; the others have their own.
            with_action: whether the channels of an action come in behind the observation's.

        Raises:
            ArgumentError: sizes of blocks that are not alike, or none.
        """
        generator = _generator()
        if self.tied:
            source, target = self._rows(outputs, with_action)
            made: nn.Module = RegularNetwork(
                source, target, hidden=hidden, activation=activation(), generator=generator
            )
        else:
            made = self._of_vectors(outputs, hidden, with_action, generator)
        # Drawn in float32 whatever torch's default is; and then in that, as observations and other layers are.
        return made.to(self.like.dtype)

    def split(self, row: Tensor) -> tuple[Tensor, Tensor]:
        """The channels of an action `(B, m)`, and a number for each of their blocks `(B, c)`, of a "noisy action"."""
        count, size = len(self.actions.blocks), self.actions.size
        first = size if self.tied else self.acted_type.scalars
        return torch.cat((row[..., :first], row[..., first + count :]), -1), row[..., first : first + count]

    def _rows(self, outputs: str | int, with_action: bool) -> tuple[Representation, Representation]:
        """What tied layers take and give."""
        seen, acted = self.rows
        source = seen + acted if with_action else seen
        if outputs == "action":
            return source, acted
        if outputs == "noisy action":
            return source, acted + Representation(seen.labels, self.actions.mixing)
        return source, Representation.trivial(seen.labels, int(outputs))

    def _of_vectors(
        self, outputs: str | int, hidden: Sequence[int], with_action: bool, generator: torch.Generator
    ) -> nn.Module:
        kind, images, group = self.seen_type, self.seen_images, self.symmetry.group
        kinds = [kind, self.acted_type] if with_action else [kind]
        if with_action:
            kind = kind + self.acted_type
            images = images[0] + self.acted_images[0], images[1] + self.acted_images[1]
        none = Representation.trivial(images[0].labels, 0)
        if outputs == "action":
            target, found = self.acted_type, self.acted_images
        elif outputs == "noisy action":
            noise = Representation(images[0].labels, self.actions.mixing)
            target = self.acted_type + FeatureType(kind.dim, scalars=noise.dim)
            found = self.acted_images[0] + noise, self.acted_images[1]
        else:
            target = FeatureType(kind.dim, scalars=int(outputs))
            found = Representation.trivial(images[0].labels, int(outputs)), none
        if not hidden:
            raise ArgumentError("net_arch", hidden, "one hidden size or more for form='steerable'")
        if not kind.vectors:
            if group.labels.order > 1:
                network: nn.Module = RegularNetwork(images[0], found[0], hidden=hidden, generator=generator)
            else:
                network = MLP(kind.scalars, target.scalars, hidden=hidden, generator=generator)
            return network
        if len(set(hidden)) > 1:
            expected = f"equal sizes for form='steerable' under {group!r}: as many blocks, each of that size"
            raise ArgumentError("net_arch", list(hidden), expected)
        across = kind.dim if group.axis is None else 2  # numbers of a vector channel
        vectors = max(hidden[0] // (2 * across), 1)
        sizes = {
            "scalars": max(hidden[0] - across * vectors, 1),
            "vectors": vectors,
            "depth": len(hidden),
        }
        if group.labels.order > 1 or group.axis is not None:
            network = LabelledSteerableNetwork(
                kind, target, group, in_images=images, out_images=found, generator=generator, **sizes
            )
        else:
            network = SteerableNetwork(kind, target, group, generator=generator, **sizes)
        return SteerableOnRows(network, kinds, target)


class SteerableOnRows(nn.Module):
    """A network of Features on numbers in a row.

    Args:
        network: from the joined types that come in to that which goes out.
        kinds: of the rows that come in one behind the other.
        target: of the row that goes out.
    """

    def __init__(self, network: nn.Module, kinds: Sequence[FeatureType], target: FeatureType) -> None:
        super().__init__()
        self.network, self.kinds, self.target = network, tuple(kinds), target

    def forward(self, row: Tensor) -> Tensor:
        parts = row.split([kind.size for kind in self.kinds], -1)
        found = [Features.unflatten(part, kind) for part, kind in zip(parts, self.kinds, strict=True)]
        return self.network(found[0] if len(found) == 1 else Features.concatenate(found)).flatten()


def orthogonal(network: nn.Module, gain: float) -> None:
    """Initial weights as `ortho_init` of stable-baselines3 gives them, in a network that `SteerableForm.network` made.

    Tied layers become √2 times isometries that commute with the group, the last one `gain` times one, and biases 0. Of
    networks with vectors, drawn to keep the size of what they see, the last layer is multiplied by `gain`.
    """
    inner = network.network if isinstance(network, SteerableOnRows) else network
    if isinstance(inner, RegularNetwork):
        generator = _generator()
        *hidden, final = [layer for layer in inner.layers if isinstance(layer, TiedLinear)]
        for layer in hidden:
            layer.orthogonal_(math.sqrt(2.0), generator)
        final.orthogonal_(gain, generator)
        return
    if isinstance(inner, MLP):
        last: list[nn.Module | None] = [inner.layers[-1]]
    elif isinstance(inner, SteerableNetwork):
        last = [inner.read_scalars, inner.read_vectors]
    else:
        assert isinstance(inner, LabelledSteerableNetwork)
        last = [inner.read, inner.read_vectors]
    with torch.no_grad():
        for each in last:
            for weight in () if each is None else each.parameters():
                weight.mul_(gain)


def _generator() -> torch.Generator:
    """One that torch's own, which stable-baselines3 seeds, has seeded."""
    return torch.Generator().manual_seed(int(torch.randint(2**31 - 1, (1,))))
