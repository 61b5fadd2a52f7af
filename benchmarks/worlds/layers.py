"""Blocks, layers and networks of one size that do the same job, with and without symmetry, ours and others'."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import silu

from equiworld import groups, nn, symmetry
from equiworld.envs.known.ant import Choice, ant_group
from equiworld.errors import ArgumentError
from equiworld.groups import Group, Representation
from equiworld.nn import SeededLinear, SteerableNetwork
from equiworld.symmetry import Concatenation, Field, SignedPermutation, Vector
from equiworld.symmetry.arrows import frame_of
from equiworld.symmetry.features import Features, FeatureType, Kind
from equiworld.verify.equivariance import equivariance_residual

__all__ = ["ANT_JOINTS", "CONTESTS", "E3NN", "PLAIN", "Layer", "blocks", "e3nn_version"]

PLAIN = "plain"
"""What the others are compared with: it claims no symmetry."""

E3NN = "e3nn"
"""A peer's layer; targets are for ours."""

ROTATIONS: dict[int, Group] = {2: groups.SO2(), 3: groups.SO3()}
ISOMETRIES: dict[int, Group] = {2: groups.O2(), 3: groups.O3()}
LABELLED: dict[int, Group] = {
    dim: groups.Product(group, groups.Permutation(2)) for dim, group in ((2, groups.SE2()), (3, groups.SE3()))
}

HIDDEN = (128, 128, 128)  # and 64 sines: the size of family "state"
CHANNELS = 64  # of layers of joints: copies of the joints, or of the regular representation
JOINTS_TARGETS = {1: 2.0, 512: 1.2}
ANT_JOINTS: dict[Choice, SignedPermutation] = {
    "mirror": SignedPermutation([(2, 3, 0, 1, 6, 7, 4, 5)], [(-1, 1, -1, 1, -1, 1, -1, 1)]),
    "both": SignedPermutation(
        [(6, 7, 0, 1, 2, 3, 4, 5), (2, 3, 0, 1, 6, 7, 4, 5)],
        [(1, -1, 1, 1, 1, -1, 1, 1), (-1, 1, -1, 1, -1, 1, -1, 1)],
    ),
}
"""The eight joints of Gymnasium's Ant under left and right, and under quarter turns too: `ant_symmetry(env).action`."""


@dataclass(frozen=True)
class Layer:
    """One contender.

    Attributes:
        name: what it is called in the rows; all but the plain one claim to commute with their group.
        group: what it is tried against.
        given, found: how arrays of what comes in and rows of what goes out transform.
        module: None where its package is not installed.
        kind: what it takes as Features, or a residual block as scalars and vectors; None if it takes rows `(B, size)`.
        targets: by examples a call, the largest time forward over the plain layer's that is aimed at.
    """

    name: str
    group: Group
    given: Field
    found: Field
    module: Module | None
    kind: FeatureType | None = None
    targets: Mapping[int, float] = field(default_factory=dict)

    def inputs(self, array: np.ndarray) -> Tensor:
        """Rows `(B, size)` of what comes in, of arrays of the field: headings and axes are vectors there."""
        dim, batch = self.group.dim, array.shape[:-1]
        empty: dict[Kind, Any] = {"scalars": np.zeros((*batch, 0)), "vectors": np.zeros((*batch, dim, 0))}
        channels = empty | self.given.encode(array, np.zeros(dim))
        scalars, vectors = (torch.as_tensor(np.array(channels[kind], array.dtype)) for kind in empty)
        return Features(scalars, vectors, vectors[..., :0]).flatten()

    def arguments(self, rows: Tensor) -> tuple[Any, ...]:
        """What the module takes, for rows `(B, size)`."""
        if self.kind is None:
            return (rows,)
        z = Features.unflatten(rows, self.kind)
        return (z.scalars, z.vectors) if isinstance(self.module, nn.ResidualBlock) else (z,)

    def residual(self, dtype: str, seed: int) -> float:
        """How far it is from commuting with 24 elements of the group, relative; see `equivariance_residual`."""
        module: Any = copy.deepcopy(self.module)
        module.to(getattr(torch, dtype))

        def called(array: np.ndarray) -> Tensor:
            found = module(*self.arguments(self.inputs(array)))
            if self.kind is None:
                return found
            scalars, vectors = found if isinstance(found, tuple) else (found.scalars, found.vectors)
            return torch.cat((scalars, vectors.mT.flatten(-2)), -1)

        settings: dict[str, Any] = {"n_elements": 24, "dtype": dtype, "batch_size": 32, "seed": seed}
        return equivariance_residual(called, self.given, self.found, self.group, **settings).residual


def blocks(kind: FeatureType, seed: int) -> list[Layer]:
    """The residual blocks of steerable networks, and a plain residual block of as many numbers.

    Raises:
        ArgumentError: an odd number of channels; labels exchange them in pairs.
    """
    if kind.scalars % 2 or kind.vectors % 2:
        raise ArgumentError("channels", (kind.scalars, kind.vectors), "even numbers")
    field = Concatenation((symmetry.Scalar(kind.scalars), Vector(kind.vectors)))
    scalars = (symmetry.Permuted(symmetry.Scalar(), [(1, 0)]),) * (kind.scalars // 2)
    pairs = Concatenation((*scalars, *(symmetry.Permuted(Vector(), [(1, 0)]),) * (kind.vectors // 2)))
    full, proper, labelled = (each[kind.dim] for each in (ISOMETRIES, ROTATIONS, LABELLED))
    sizes = {"scalars": kind.scalars, "vectors": kind.vectors, "depth": 1}

    def steerable(group: Group) -> Module:
        return SteerableNetwork(kind, kind, group, generator=_seeded(seed), **sizes).blocks[0]

    one, images = FeatureType(kind.dim, scalars=2, vectors=2), (Representation.regular(labelled.labels),) * 2
    tied = nn.LabelledSteerableNetwork(
        one, one, labelled, in_images=images, out_images=images, generator=_seeded(seed), **sizes
    ).blocks[0]
    generator = _seeded(seed)
    first, last = (SeededLinear(kind.size, kind.size, generator=generator) for _ in range(2))
    targets = {1: 2.5, 512: 1.1} if min(kind.scalars, kind.vectors) >= CHANNELS else {}
    return [
        Layer(PLAIN, proper, field, field, _Residual(first, silu, last)),
        Layer("steerable, O", full, field, field, steerable(full), kind, targets),
        Layer("steerable, SO", proper, field, field, steerable(proper), kind, targets),
        Layer("labelled, SE × S₂", labelled, pairs, pairs, tied, kind, targets),
        *([Layer(E3NN, full, field, field, _e3nn(kind, seed))] if kind.dim == 3 else []),
    ]


def _tied_layers(seed: int) -> list[Layer]:
    """Layers of Ant's joints whose weights are tied, and a plain one of the same widths."""
    field = Concatenation((ANT_JOINTS["both"],) * CHANNELS)
    plain = SeededLinear(field.size(3), field.size(3), generator=_seeded(seed))
    layers = [Layer(PLAIN, ant_group("both"), field, field, plain)]
    for (choice, one), name in zip(ANT_JOINTS.items(), ("left, right", "D₄"), strict=True):
        rep, field = _joints(choice), Concatenation((one,) * CHANNELS)
        tied = nn.TiedLinear(rep, rep, CHANNELS, CHANNELS, generator=_seeded(seed))
        layers.append(Layer(f"tied, {name}", ant_group(choice), field, field, tied, targets=JOINTS_TARGETS))
    return layers


def _tied_networks(choice: Choice, seed: int) -> list[Layer]:
    """A network of such layers, through two of copies of the regular representation, and a plain one of its widths."""
    rep, about = _joints(choice), (ant_group(choice), ANT_JOINTS[choice], ANT_JOINTS[choice])
    hidden = (CHANNELS * rep.labels.order,) * 2
    mlp, regular = (
        nn.MLP(rep.dim, rep.dim, hidden=hidden, generator=_seeded(seed)),
        nn.RegularNetwork(rep, rep, hidden=hidden, generator=_seeded(seed)),
    )
    return [Layer(PLAIN, *about, mlp), Layer("regular", *about, regular, targets=JOINTS_TARGETS)]


def _joints(choice: Choice) -> Representation:
    group = ant_group(choice)
    return Representation(group.labels, ANT_JOINTS[choice].label_images(group)["scalars"])


def _networks(dim: int, seed: int) -> list[Layer]:
    """The networks of state models at their sizes, and the plain perceptron of the canonical one's size."""
    body, known = (symmetry.Heading(), 1) if dim == 2 else (symmetry.Rotation(), 3)
    kind, group = FeatureType(dim, vectors=8), ROTATIONS[dim]
    about = (group, Concatenation((body, Vector(8 - known))), Vector(8))

    def frame(z: Features) -> Any:
        return frame_of(z.vectors, group, pose=slice(0, known))

    sizes: dict[str, Any] = {"hidden": HIDDEN, "periodic": 64}
    plain = nn.MLP(kind.size, kind.size, generator=_seeded(seed), **sizes)
    canonical = nn.CanonicalNetwork(kind, kind, group, frame_of=frame, generator=_seeded(seed), **sizes)
    steerable = SteerableNetwork(kind, kind, group, depth=4, generator=_seeded(seed))
    return [
        Layer(PLAIN, *about, plain),
        Layer("canonical", *about, canonical, kind),
        Layer("steerable", *about, steerable, kind),
    ]


CONTESTS: dict[str, Callable[[int], list[Layer]]] = {
    **{
        f"block-{dim}d-{scalars}+{vectors}": partial(blocks, FeatureType(dim, scalars, vectors))
        for dim in (3, 2)
        for scalars, vectors in ((8, 16), (64, 64))
    },
    "joints-linear": _tied_layers,
    "joints-network-mirror": partial(_tied_networks, "mirror"),
    "joints-network-D4": partial(_tied_networks, "both"),
    "network-3d": partial(_networks, 3),
    "network-2d": partial(_networks, 2),
}
"""By name, layers that are timed in turn, the plain one first, for a seed of their weights.

Blocks: so many scalars and vectors, in and out."""


def e3nn_version() -> str | None:
    """The version of e3nn, None if it is not installed."""
    try:
        return metadata.version("e3nn")
    except metadata.PackageNotFoundError:
        return None


class _Residual(Module):
    """x + last(middle(first(x))) on rows."""

    def __init__(self, first: Module, middle: Callable[[Tensor], Tensor], last: Module) -> None:
        super().__init__()
        self.first, self.middle, self.last = first, middle, last

    def forward(self, rows: Tensor) -> Tensor:
        return rows + self.last(self.middle(self.first(rows)))


def _e3nn(kind: FeatureType, seed: int) -> Module | None:
    """A residual block of e3nn's linear layers and its gate, without products; None if it is not installed.

    Its odd vectors hold x, y, z in this order, channel by channel, as `Features.flatten` does.
    """
    if e3nn_version() is None:
        return None
    o3, others = importlib.import_module("e3nn.o3"), importlib.import_module("e3nn.nn")
    scalars, gates, vectors = f"{kind.scalars}x0e", f"{kind.vectors}x0e", f"{kind.vectors}x1o"
    gate = others.Gate(scalars, [silu], gates, [torch.sigmoid], vectors)
    whole = f"{scalars} + {vectors}"
    with torch.random.fork_rng(devices=[]):  # it draws from the global generator
        torch.manual_seed(seed)
        first, last = (
            o3.Linear(*pair, biases=True) for pair in ((whole, gate.irreps_in), (gate.irreps_out, whole))
        )
    return _Residual(first, gate, last)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
