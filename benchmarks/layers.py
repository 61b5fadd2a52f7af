"""Layers of one size that do the same job, with and without symmetry, ours and others'."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata

import torch
from torch import nn

from equiworld.groups import O2, O3, SO2, SO3, Group
from equiworld.nn import (
    EquivariantLinear,
    Gate,
    ScalarVectorBlock,
    SeededLinear,
)
from equiworld.symmetry.arrows import frame_of
from equiworld.symmetry.features import Features, FeatureType
from equiworld.verify.equivariance import equivariance_residual

__all__ = ["ELEMENTS", "PLAIN", "CanonicalBlock", "Layer", "e3nn_version", "flat_layer", "layers_of"]

PLAIN = "plain"
"""The layer that the others are compared with."""

ELEMENTS = 24
"""Of its group, that each layer is tried with."""

ROTATIONS: dict[int, Group] = {2: SO2(), 3: SO3()}
ISOMETRIES: dict[int, Group] = {2: O2(), 3: O3()}


@dataclass(frozen=True)
class Layer:
    """One contender.

    Attributes:
        name: what it is called in the rows.
        group: what it is tried against: the group it claims, or rotations where it claims none.
        equivariant: whether it claims to commute with the group.
        module: from and to features of one type, or their rows; None where its package is not installed.
        flat: it takes and gives rows `(B, size)` laid out as `Features.flatten` does, not Features.
    """

    name: str
    group: Group
    equivariant: bool
    module: nn.Module | None
    flat: bool = False

    def function(self, kind: FeatureType) -> Callable[[Features], Features]:
        """The layer as a map of features, for whatever it takes itself."""
        module = self.module
        assert module is not None
        return (lambda z: Features.unflatten(module(z.flatten()), kind)) if self.flat else module

    def residual(self, kind: FeatureType, dtype: str, seed: int) -> float:
        """How far it is from commuting with the group, relative; see `equivariance_residual`."""
        module = copy.deepcopy(self.module)
        assert module is not None
        layer = replace(self, module=module.to(getattr(torch, dtype)))
        found = equivariance_residual(
            layer.function(kind),
            kind,
            kind,
            self.group,
            n_elements=ELEMENTS,
            dtype=dtype,
            batch_size=32,
            seed=seed,
        )
        return found.residual


class CanonicalBlock(nn.Module):
    """Into the frame that the first vectors span, a linear map and SiLU there, and back.

    A network of this kind makes its frame once, not once a layer: for that the figure is a bound from above.

    Args:
        kind: channels that come in and go out; at least d − 1 vectors, no points.
        generator: a CPU generator, the only source of randomness.
    """

    def __init__(self, kind: FeatureType, generator: torch.Generator) -> None:
        super().__init__()
        self.kind, self.group = kind, ROTATIONS[kind.dim]
        self.linear = SeededLinear(kind.size, kind.size, generator=generator)

    def forward(self, features: Features) -> Features:
        frame = frame_of(features.vectors, self.group)
        inside = nn.functional.silu(self.linear(frame.to_frame(features).flatten()))
        return frame.from_frame(Features.unflatten(inside, self.kind))


def layers_of(kind: FeatureType, seed: int) -> list[Layer]:
    """All that fit the dimension, from features of this type to the same; the plain one first."""
    dim, full, proper = kind.dim, ISOMETRIES[kind.dim], ROTATIONS[kind.dim]

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    last = Gate(kind)
    first = EquivariantLinear(kind, last.in_type, full, generator=generator())
    layers = [
        Layer(PLAIN, proper, False, flat_layer(kind, generator()), flat=True),
        Layer("block", full, True, ScalarVectorBlock(kind, kind, full, generator=generator())),
        Layer("linear, gate", full, True, nn.Sequential(first, last)),
        Layer("canonical", proper, True, CanonicalBlock(kind, generator())),
    ]
    if dim == 2:  # in space rotations admit no linear map that reflections do not
        turning = ScalarVectorBlock(kind, kind, proper, generator=generator())
        layers.insert(2, Layer("block, quarter turns", proper, True, turning))
    else:
        layers.append(Layer("e3nn", full, True, _e3nn(kind, seed), flat=True))
    return layers


def flat_layer(kind: FeatureType, generator: torch.Generator) -> nn.Module:
    """A linear map of all numbers and SiLU, as it is commonly written."""
    linear = nn.utils.skip_init(nn.Linear, kind.size, kind.size)
    seeded = SeededLinear(kind.size, kind.size, generator=generator)
    linear.load_state_dict(seeded.state_dict())
    return nn.Sequential(linear, nn.SiLU())


def e3nn_version() -> str | None:
    """The version of e3nn, None if it is not installed."""
    try:
        return metadata.version("e3nn")
    except metadata.PackageNotFoundError:
        return None


def _e3nn(kind: FeatureType, seed: int) -> nn.Module | None:
    """e3nn's linear layer with biases and its gate; None if it is not installed.

    Its odd vectors hold x, y, z in this order, channel by channel, as `Features.flatten` does.
    """
    if e3nn_version() is None:
        return None
    o3, networks = importlib.import_module("e3nn.o3"), importlib.import_module("e3nn.nn")
    scalars, gates, vectors = f"{kind.scalars}x0e", f"{kind.vectors}x0e", f"{kind.vectors}x1o"
    last = networks.Gate(scalars, [nn.functional.silu], gates, [torch.sigmoid], vectors)
    with torch.random.fork_rng(devices=[]):  # it draws from the global generator
        torch.manual_seed(seed)
        first = o3.Linear(f"{scalars} + {vectors}", last.irreps_in, biases=True)
    return nn.Sequential(first, last)
