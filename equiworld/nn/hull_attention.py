"""Attention whose query is solved for: the convex combination of a cloud that lies where a network points."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["hull_attention"]

_ITERATIONS = 8
_RIDGE = 1e-4  # share of the cloud's variance: keeps Newton's steps finite where all weight is on few points
_LEAST_SPREAD = 1e3  # of a cloud, in rounding errors of its largest coordinate
_LONGEST_STEP = 4.0  # in units of 1/spread of the cloud


def hull_attention(targets: Tensor, cloud: Tensor) -> tuple[Tensor, Tensor]:
    """Convex combinations of a cloud, nearest to being uniform, that lie at given places.

    w = softmax_i(λ · x_i) with the query λ such that Σ_i w_i x_i is the target: of all weights with this mean those
    of the largest entropy. λ minimises the convex log Σ_i exp(λ · (x_i − target)); a few damped Newton steps find
    it. Where the target is inside the hull the gradient goes through to it as through the identity; a target outside
    the hull is drawn back into it, whatever a network asked for.

    Reference: exponential tilting; Jaynes, Information theory and statistical mechanics, 1957.

    Args:
        targets: `(…, K, d)`, where the combinations should lie.
        cloud: `(…, N, d)`, in the units of the targets; best with its mean near the origin.

    Returns:
        The combinations `(…, K, d)`, and their weights `(…, K, N)`, positive with sum 1.

    >>> import torch
    >>> cloud = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> points, weights = hull_attention(torch.tensor([[0.25, 0.25]]), cloud)
    >>> bool((points - 0.25).abs().max() < 1e-5), bool((weights.sum(-1) - 1).abs().max() < 1e-6)
    (True, True)
    """
    mean = cloud.detach().mean(-2, keepdim=True)
    variance = (cloud.detach() - mean).square().sum(-1).mean(-1)[..., None, None, None]  # (…, 1, 1, 1)
    # Of one point again and again it is 0 or what rounding left: kept far above both, so that Newton's matrices have
    # an inverse, yet no square of what follows may overflow.
    known = torch.finfo(cloud.dtype)
    size = cloud.detach().abs().amax((-1, -2))[..., None, None, None]
    variance = torch.maximum(variance, (_LEAST_SPREAD * known.eps * size).square()).clamp(
        min=known.tiny**0.25
    )
    ridge = _RIDGE * variance * torch.eye(cloud.shape[-1], dtype=cloud.dtype, device=cloud.device)
    longest = _LONGEST_STEP * variance[..., 0].rsqrt()
    query = torch.zeros_like(targets)
    with torch.no_grad():
        for _ in range(_ITERATIONS):
            query = query + _newton_step(query, targets, cloud, ridge, longest)
    # Once more, with the gradient: at the solution it is that of an exact solve.
    query = query + _newton_step(query, targets, cloud, ridge, longest)
    weights = _weights(query, cloud)
    return weights @ cloud, weights


def _weights(query: Tensor, cloud: Tensor) -> Tensor:
    return torch.softmax(query @ cloud.transpose(-1, -2), -1)


def _newton_step(query: Tensor, targets: Tensor, cloud: Tensor, ridge: Tensor, longest: Tensor) -> Tensor:
    """What to add to the queries `(…, K, d)`."""
    with torch.no_grad():
        weights = _weights(query, cloud)
        points = weights @ cloud
        offset = cloud[..., None, :, :] - points[..., :, None, :]  # (…, K, N, d)
        covariance = (weights[..., None] * offset).transpose(-1, -2) @ offset + ridge
        inverse = torch.linalg.inv_ex(covariance).inverse
    step = (inverse @ (targets - points)[..., None])[..., 0]
    length = torch.linalg.vector_norm(step.detach(), dim=-1, keepdim=True)
    return step * (longest / torch.maximum(length, longest))
