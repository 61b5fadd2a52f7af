"""A ball as an action space: bounds that a rotation leaves alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import DTypeLike, NDArray

from equiworld.arguments import integer
from equiworld.envs.arguments import as_number

__all__ = ["Ball"]


class Ball(spaces.Box):
    """Vectors of length at most `radius`, `{a ∈ R^d : |a| ≤ radius}`, along the last axis.

    It is a `Box` to everything that asks for one (its bounds are the enclosing box), but samples and membership
    are those of the ball. Batched, each row is a vector of the ball.

    Args:
        dim: d.
        radius: in the units of the action.
        dtype: floating; float64 by default so that actions are not rounded on their way.
        seed: of the space's own generator.
        batch: leading shape; `()` for one vector.

    >>> ball = Ball(2, 100.0, seed=0)
    >>> ball.contains(ball.sample()), ball.contains(np.array([99.0, 99.0]))
    (True, False)
    """

    def __init__(
        self,
        dim: int,
        radius: float,
        dtype: DTypeLike = np.float64,
        seed: int | np.random.Generator | None = None,
        batch: tuple[int, ...] = (),
    ) -> None:
        self.dim = integer("dim", dim, least=1)
        self.radius = as_number("radius", radius, "(in the units of the action)")
        self.batch = tuple(batch)
        kind: Any = np.dtype(dtype).type
        super().__init__(-self.radius, self.radius, shape=(*self.batch, self.dim), dtype=kind, seed=seed)

    def sample(self, mask: None = None, probability: None = None) -> NDArray[Any]:
        """Uniform in the ball."""
        direction = self.np_random.normal(size=self.shape)
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        length = self.radius * self.np_random.uniform(size=(*self.batch, 1)) ** (1.0 / self.dim)
        return (direction * length).astype(self.dtype)

    def contains(self, x: Any) -> bool:
        """Whether every vector of `x` is in the ball, up to rounding."""
        return super().contains(x) and bool(np.all(self.within(np.asarray(x))))

    def within(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each vector `(…, d)` is in the ball, up to float32 rounding: `(…,)`."""
        return np.einsum("...i,...i->...", x, x) <= (self.radius * (1 + 1e-6)) ** 2

    def project(self, x: NDArray[Any]) -> NDArray[Any]:
        """The nearest vectors of the ball: `(…, d)`, shortened radially where too long."""
        length = np.linalg.norm(x, axis=-1, keepdims=True)
        return x * (self.radius / np.maximum(length, self.radius))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ball)
            and self.radius == other.radius
            and self.shape == other.shape
            and self.dtype == other.dtype
        )

    def __repr__(self) -> str:
        return f"Ball({self.dim}, {self.radius}, {self.dtype}{f', batch={self.batch}' if self.batch else ''})"


@batch_space.register(Ball)
def _batch_ball(space: Ball, n: int = 1) -> Ball:
    # Without this a vector env would sample from the enclosing box, corners included. It goes on from where the
    # single space is, with a generator of its own, as Gymnasium's own spaces do.
    return Ball(space.dim, space.radius, space.dtype, copy.deepcopy(space.np_random), (n, *space.batch))
