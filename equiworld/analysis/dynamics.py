"""Linear latent dynamics: what they resolve of the freedom that the latent's law alone leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equiworld.analysis.ladder import measured_gauge_dimension
from equiworld.arguments import number, reals
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array

__all__ = ["LinearDynamics", "Rate", "fit_linear_dynamics"]


@dataclass(frozen=True)
class Rate:
    """A cluster of the eigenvalues of a latent dynamics.

    Attributes:
        value: their mean.
        size: how many there are.
    """

    value: float
    size: int


@dataclass(frozen=True, eq=False)
class LinearDynamics:
    """z′ = A z + ε of latents with covariance 1.

    The law of z alone is kept by all of O(n). Pairs (z, z′) are kept by the isometries that commute with A, and so by
    ∏ O(k) over eigenvalues of multiplicity k of a symmetric A: dynamics tell blocks of different rates apart.

    Attributes:
        matrix: A `(n, n)`, in whitened coordinates.
        whitening: W `(n, n)`: whitened latents are W (z − mean).

    >>> LinearDynamics(np.diag([0.2, 0.9, 0.9]), np.eye(3)).rates()
    (Rate(value=0.2, size=1), Rate(value=0.9, size=2))
    """

    matrix: Array
    whitening: Array

    def rates(self, apart: float = 0.1) -> tuple[Rate, ...]:
        """The eigenvalues of A's symmetric part, smallest first, in clusters.

        Args:
            apart: the gap between clusters; more than estimation scatters the eigenvalues of one.
        """
        number("apart", apart, above=0.0)
        values = np.linalg.eigvalsh((self.matrix + self.matrix.T) / 2)
        groups = np.split(values, np.flatnonzero(np.diff(values) > apart) + 1)
        return tuple(Rate(float(group.mean()), len(group)) for group in groups)

    def drift_gauge(self, apart: float = 0.1) -> int:
        """The dimension of the isometries that keep the dynamics, each cluster of rates taken as one.

        Args:
            apart: see `rates`.
        """
        values, vectors = np.linalg.eigh((self.matrix + self.matrix.T) / 2)
        means = np.repeat(
            [rate.value for rate in self.rates(apart)], [rate.size for rate in self.rates(apart)]
        )
        assert len(means) == len(values)
        return measured_gauge_dimension(((vectors * means) @ vectors.T)[None])

    def error_over_orbit(self, elements: ArrayLike) -> Array:
        """E‖Q z′ − A Q z‖²/n of the predictor A on latents that isometries Q `(k, n, n)` have turned, `(k,)`.

        It is the Bayes error (n − ‖A‖²)/n where Q keeps the dynamics, and by ‖Q A − A Q‖²/n more elsewhere.
        """
        elements = reals("elements", elements)
        size = len(self.matrix)
        if elements.ndim != 3 or elements.shape[1:] != (size, size):
            raise ArgumentError("elements", f"shape {elements.shape}", f"(k, {size}, {size})")
        turned = elements @ self.matrix - self.matrix @ elements
        noise = size - np.square(elements @ self.matrix).sum((1, 2))
        found: Array = (noise + np.square(turned).sum((1, 2))) / size
        return found


def fit_linear_dynamics(latents: ArrayLike, following: ArrayLike) -> LinearDynamics:
    """A of z′ ≈ A z by least squares, after whitening by the covariance of z.

    Args:
        latents: z `(N, n)`, of stationary latents.
        following: z′ `(N, n)`, one step later.

    Raises:
        ArgumentError: other shapes, or fewer than 2 n pairs.

    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(5000, 2))
    >>> after = 0.9 * z + np.sqrt(1 - 0.81) * rng.normal(size=z.shape)
    >>> rate, = fit_linear_dynamics(z @ [[2.0, 0.0], [1.0, 1.0]], after @ [[2.0, 0.0], [1.0, 1.0]]).rates()
    >>> rate.size, abs(rate.value - 0.9) < 0.01
    (2, True)
    """
    z, after = reals("latents", latents), reals("following", following)
    if z.ndim != 2 or z.shape != after.shape or len(z) < 2 * z.shape[1]:
        raise ArgumentError("following", f"shape {after.shape}", f"{z.shape}, at least twice as long as wide")
    mean = z.mean(0)
    z, after = z - mean, after - mean
    whitening = np.linalg.inv(np.linalg.cholesky(z.T @ z / len(z)))
    z, after = z @ whitening.T, after @ whitening.T
    return LinearDynamics(np.linalg.lstsq(z, after, rcond=None)[0].T, whitening)
