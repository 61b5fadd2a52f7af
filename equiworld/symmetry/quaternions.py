"""Rotation matrices, unit quaternions (w, x, y, z) and Euler angles in torch, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["euler_of", "matrix_of", "matrix_of_euler", "quaternion_of"]


def matrix_of(quaternion: Tensor) -> Tensor:
    """The matrices `(…, 3, 3)` of quaternions `(…, 4)` of any length but 0.

    >>> matrix_of(torch.tensor([0.0, 0.0, 0.0, 2.0]))
    tensor([[-1.,  0.,  0.],
            [ 0., -1.,  0.],
            [ 0.,  0.,  1.]])
    """
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1, eps=0.0).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def quaternion_of(matrix: Tensor) -> Tensor:
    """The unit quaternions `(…, 4)`, w ≥ 0, of rotation matrices `(…, 3, 3)`.

    From the largest of the four numbers, which no division makes worse.

    Reference:
        S. W. Shepperd, "Quaternion from rotation matrix", J. Guidance and Control 1 (1978) 223–224.
    """
    m = [[matrix[..., i, j] for j in range(3)] for i in range(3)]
    trace = m[0][0] + m[1][1] + m[2][2]
    ahead = (m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1])
    across = (m[0][1] + m[1][0], m[0][2] + m[2][0], m[1][2] + m[2][1])
    # Each candidate is a multiple of the quaternion, by four times one of its numbers.
    candidates = torch.stack(
        [
            torch.stack((1 + trace, *ahead), -1),
            torch.stack((ahead[0], 1 + 2 * m[0][0] - trace, across[0], across[1]), -1),
            torch.stack((ahead[1], across[0], 1 + 2 * m[1][1] - trace, across[2]), -1),
            torch.stack((ahead[2], across[1], across[2], 1 + 2 * m[2][2] - trace), -1),
        ],
        -2,
    )
    best = candidates.detach().diagonal(dim1=-2, dim2=-1).argmax(-1)
    index = best[..., None, None].expand(*best.shape, 1, 4)
    chosen = torch.nn.functional.normalize(candidates.gather(-2, index)[..., 0, :], dim=-1)
    return torch.where(chosen[..., :1] < 0, -chosen, chosen)


def matrix_of_euler(angles: Tensor, axes: str) -> Tensor:
    """The matrices `(…, 3, 3)` of three angles `(…, 3)` [rad].

    Args:
        angles: about the axes, in their order.
        axes: such as "xyz", about the world's axes one after the other, or "ZYX", about the body's.
    """
    first, second, third = (
        _about(axis, angle) for axis, angle in zip(axes.lower(), angles.unbind(-1), strict=True)
    )
    return first @ second @ third if axes.isupper() else third @ second @ first


def euler_of(matrix: Tensor, axes: str) -> Tensor:
    """The three angles `(…, 3)` [rad] of rotation matrices `(…, 3, 3)`; where two are one, the third axis' is 0.

    The first and third in (−π, π], the second in [0, π] where both are about one axis, else in [−π/2, π/2].
    """
    whole, letters = matrix, axes.lower()
    if not axes.isupper():  # about the world's axes is about the body's, the other way round
        letters = letters[::-1]
    i, j = ("xyz".index(letter) for letter in letters[:2])
    k = 3 - i - j
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    tiny = 1e-7 if matrix.dtype == torch.float64 else 1e-4
    if letters[0] == letters[2]:
        second = torch.acos(whole[..., i, i].clamp(-1.0, 1.0))
        level = second.sin().abs() > tiny
        first = torch.atan2(whole[..., j, i], -parity * whole[..., k, i])
        third = torch.atan2(whole[..., i, j], parity * whole[..., i, k])
        alone = torch.atan2(parity * whole[..., k, j], whole[..., j, j])
    else:
        second = torch.asin((parity * whole[..., i, k]).clamp(-1.0, 1.0))
        level = second.cos().abs() > tiny
        first = torch.atan2(-parity * whole[..., j, k], whole[..., k, k])
        third = torch.atan2(-parity * whole[..., i, j], whole[..., i, i])
        alone = torch.atan2(parity * whole[..., k, j], whole[..., j, j])
    first, third = torch.where(level, first, alone), torch.where(level, third, torch.zeros_like(third))
    found = (first, second, third) if axes.isupper() else (third, second, first)
    return torch.stack(found, -1)


def _about(axis: str, angle: Tensor) -> Tensor:
    """Rotations about a coordinate axis, `(…, 3, 3)`."""
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    entries = [[zero] * 3 for _ in range(3)]
    entries[i][i], entries[j][j], entries[k][k] = one, cosine, cosine
    entries[k][j], entries[j][k] = sine, -sine
    return torch.stack([torch.stack(row, -1) for row in entries], -2)
