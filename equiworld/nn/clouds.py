"""From an unordered cloud of points to points, vectors and scalars, exactly equivariant."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.nn.gram_schmidt import soft_axes
from equiworld.nn.hull_attention import hull_attention
from equiworld.nn.mlp import MLP
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["CloudEncoder", "PooledPerceptron"]

_SOFTNESS = 0.02  # of the axes, as a share of the length scale


class CloudEncoder(nn.Module):
    """Keypoints, vectors and scalars of a cloud of any number of points, in any order.

    First each point is seen in the axes of the cloud's covariance: coordinates that no isometry changes, up to the
    signs of the axes. A perceptron for each point, pooled by mean and maximum, gives a first guess and a score for
    every choice of the signs; the guesses are averaged by their scores. Then, some times, the same is done in axes
    made of the guess itself, which have no signs left to choose, to correct it. The final keypoints are convex
    combinations of the cloud (`hull_attention`), so that no cloud, however strange, throws them out of it.

    Means, axes and the attention are computed in float64, in the parameters' dtype only what the perceptrons say. So
    rounding is not magnified where axes are poorly fixed; and a cloud given in float64 is, to the last bit or nearly,
    the same to the perceptrons however far away it lies and however it is turned.

    For groups of rotations the axes are right-handed, so a mirrored cloud is another cloud. For groups with
    reflections all signs are tried and axes are made of vectors alone: of a flat cloud, say, it cannot tell up from
    down. Where two variances of a cloud agree to the last bit, as those of a cube's corners do, its axes are any: what
    comes out is finite, but need not turn along.

    Reference: Puny et al., Frame averaging for invariant and equivariant network design, ICLR 2022, for the signs;
    Qi et al., PointNet, CVPR 2017, for the pooling.

    Args:
        out_type: channels that go out, at least d + 1 points.
        group: the group to commute with; None for the plain baseline, the same network in the world's axes.
        length: of the order of the cloud's size, in its units.
        width: channels of each point.
        refinements: corrections of the first guess, at least 1.
        centred: see points from the cloud's mean, and later from the keypoints'; only the baseline may do without.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: too few points or refinements, another dimension than the group's, or an equivariant encoder
            that is not centred.

    >>> import torch
    >>> from equiworld.groups import SO3
    >>> kind = FeatureType(3, points=4, vectors=2)
    >>> encoder = CloudEncoder(kind, SO3(), generator=torch.Generator().manual_seed(0)).double()
    >>> cloud = torch.randn(5, 3, 64, dtype=torch.float64)
    >>> g = SO3().rotation([0.3, -1.0, 2.0])
    >>> turned = encoder(torch.as_tensor(g.matrix) @ cloud[..., torch.randperm(64)])
    >>> torch.allclose(turned.points, encoder(cloud).transform(g).points, atol=1e-10)
    True
    """

    signs: Tensor

    def __init__(
        self,
        out_type: FeatureType,
        group: Group | None,
        *,
        length: float = 1.0,
        width: int = 64,
        refinements: int = 2,
        centred: bool = True,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        dim, count = out_type.dim, out_type.points
        if count <= dim:
            raise ArgumentError("out_type", out_type, f"at least {dim + 1} points, to make axes of")
        if refinements < 1:
            raise ArgumentError("refinements", refinements, "at least 1")
        if group is not None and group.dim != dim:
            raise ArgumentError("out_type", out_type, f"features of dimension {group.dim}, that of {group!r}")
        if group is not None and not centred:
            raise ArgumentError("centred", centred, "True for an equivariant encoder; it is for baselines")
        self.out_type, self.group, self.length, self.centred = out_type, group, length, centred
        arrows, spreads = (0, 0) if group is None else (dim - group.proper, dim)
        if group is not None:
            self.register_buffer("signs", _signs(group), persistent=False)
        # The axes of the corrections: differences of the first keypoints, learned from there.
        ones = torch.eye(count, dtype=torch.float32)  # whatever torch's default says, as all parameters
        starts = ones[:arrows] - ones.roll(1, 0)[:arrows]
        self.axes = nn.Parameter(starts)
        self.guess = PooledPerceptron(dim, spreads, dim * count + (spreads > 0), width, generator)
        last = dim * out_type.vectors + out_type.scalars
        self.corrections = nn.ModuleList(
            PooledPerceptron(
                dim, dim * count, dim * count + (last if index == refinements - 1 else 0), width, generator
            )
            for index in range(refinements)
        )

    def forward(self, cloud: Tensor) -> Features:
        """The features of clouds `(…, d, N)`, N ≥ 1, in the units and the dtype of the cloud."""
        return self.rounds(cloud)[0]

    def rounds(self, cloud: Tensor) -> tuple[Features, list[Tensor]]:
        """The features, and the guesses `(…, d, K)` that led to them, the first one first."""
        dim, count = self.out_type.dim, self.out_type.points
        if cloud.shape[-2] != dim or not cloud.shape[-1]:
            raise ArgumentError("cloud", f"shape {tuple(cloud.shape)}", f"shape (…, {dim}, N), N ≥ 1")
        if not cloud.is_floating_point():
            raise ArgumentError("cloud", cloud.dtype, "a floating type")
        given, cloud = cloud.dtype, cloud.transpose(-1, -2).to(torch.float64)
        middle = self._middle(cloud)
        seen = (cloud - middle) / self.length
        points = self._first(seen)
        guesses, rest = [points], points[..., :0, 0]
        for correction in self.corrections:
            origin = self._middle(points)
            own = points - origin
            axes = self._axes(own)
            known = own @ axes
            found = self._asked(correction, (seen - origin) @ axes, known.flatten(-2))
            step, rest = found[..., : dim * count].unflatten(-1, (count, dim)), found[..., dim * count :]
            points = points + step @ axes.transpose(-1, -2)
            guesses.append(points)
        places, _ = hull_attention(points, seen)
        vectors = rest[..., : dim * self.out_type.vectors].unflatten(-1, (self.out_type.vectors, dim))
        vectors = vectors @ axes.transpose(-1, -2)

        def placed_back(part: Tensor) -> Tensor:
            return (part * self.length + middle).transpose(-1, -2).to(given)

        features = Features(
            rest[..., dim * self.out_type.vectors :].to(given),
            (vectors.transpose(-1, -2) * self.length).to(given),
            placed_back(places),
        )
        return features, [placed_back(part) for part in guesses]

    def _first(self, seen: Tensor) -> Tensor:
        """The first guess `(…, K, d)` from centred clouds `(…, N, d)`."""
        dim, count = self.out_type.dim, self.out_type.points
        if self.group is None:
            return self._asked(self.guess, seen, seen[..., 0, :0]).unflatten(-1, (count, dim))
        with torch.no_grad():  # clouds are data
            centre = seen - seen.mean(-2, keepdim=True)
            variances, axes = torch.linalg.eigh(centre.transpose(-1, -2) @ centre / seen.shape[-2])
            if self.group.proper:
                right = torch.where(torch.linalg.det(axes) < 0, -1.0, 1.0).to(axes.dtype)
                axes = axes * right[..., None, None]
            signs = self.signs.to(axes.dtype)
            # Softened: the root of a flat cloud's smallest variance would turn a rounding error of 1e-16 into 1e-8.
            spread = (variances.clamp(min=0.0) + _SOFTNESS**2).sqrt()[..., None, :]
            spread = spread.expand(*spread.shape[:-2], *signs.shape)
        own = (seen @ axes).to(self.axes.dtype)[..., None, :, :] * self.signs[:, None, :]  # (…, signs, N, d)
        found = self._asked(self.guess, own, spread)
        guesses = found[..., : dim * count].unflatten(-1, (count, dim)) * signs[:, None, :]
        guesses = guesses @ axes[..., None, :, :].transpose(-1, -2)
        share = torch.softmax(found[..., -1], -1)
        return (share[..., None, None] * guesses).sum(-3)

    def _asked(self, network: nn.Module, points: Tensor, extra: Tensor) -> Tensor:
        """What a network, which computes in its parameters' dtype, answers to numbers in float64."""
        dtype = self.axes.dtype
        return network(points.to(dtype), extra.to(dtype)).to(torch.float64)

    def _middle(self, points: Tensor) -> Tensor:
        """Where points `(…, N, d)` are seen from, `(…, 1, d)`: their mean, or the origin."""
        return points.mean(-2, keepdim=True) if self.centred else torch.zeros_like(points[..., :1, :])

    def _axes(self, own: Tensor) -> Tensor:
        """The axes `(…, d, d)` of keypoints `(…, K, d)` about their mean; for the baseline the world's."""
        if self.group is None:
            return torch.eye(own.shape[-1], dtype=own.dtype, device=own.device)
        arrows = (self.axes.to(own.dtype) @ own).transpose(-1, -2)
        return soft_axes(arrows, self.group.proper, _SOFTNESS)


class PooledPerceptron(nn.Module):
    """A perceptron for each point, mean and maximum over the points, a perceptron for what comes out.

    Args:
        inputs: numbers of each point.
        extra: further numbers of the cloud.
        outputs: numbers that come out.
        width: channels of each point.
        generator: of the initial weights.
    """

    def __init__(self, inputs: int, extra: int, outputs: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.point = MLP(inputs, width, hidden=(width,), generator=generator)
        self.head = MLP(2 * width + extra, outputs, hidden=(2 * width, width), generator=generator)

    def forward(self, points: Tensor, extra: Tensor) -> Tensor:
        """`(…, outputs)` from points `(…, N, inputs)` and numbers `(…, extra)`."""
        seen = self.point(points)
        return self.head(torch.cat([seen.mean(-2), seen.amax(-2), extra], -1))


def _signs(group: Group) -> Tensor:
    """Signs of the covariance's axes to average over, `(n, d)`: those that the group does not tell apart."""
    every = torch.tensor(list(itertools.product((1.0, -1.0), repeat=group.dim)), dtype=torch.float32)
    return every[every.prod(-1) > 0] if group.proper else every
