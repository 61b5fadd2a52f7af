"""Is a function equivariant? Tried on random inputs over many group elements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.groups.matrix_group import checked_group
from equiworld.verify.representations import Representation, as_representation

__all__ = ["EquivarianceReport", "assert_equivariant", "equivariance_residual"]

Array = NDArray[np.float64]

TOLERANCES = {"float64": 1e-12, "float32": 1e-5}
"""Relative residuals that rounding explains."""

FEWEST_ELEMENTS = 20


@dataclass(frozen=True)
class EquivarianceReport:
    """What `equivariance_residual` found.

    Attributes:
        group: the group's name.
        elements: group elements tried, each on fresh inputs.
        reflections: how many of them reflect.
        dtype: "float64" or "float32".
        tolerance: largest relative residual that passes.
        residuals: by output, the largest |f(ρ(g)x) − ρ(g)f(x)| over any element, input and channel, relative
            to the root mean square of that channel (or to 1/1000 of that output's, if that is larger).
        finite: whether all outputs were finite.
        constant: output channels that never changed: nothing is proved by them.
        worst_element: the element with the largest residual, as `GroupElement.to_dict` gives it.
    """

    group: str
    elements: int
    reflections: int
    dtype: str
    tolerance: float
    residuals: dict[str, float]
    finite: bool
    constant: tuple[str, ...]
    worst_element: dict[str, Any]

    @property
    def residual(self) -> float:
        """The largest residual of any output; NaN if an output is not finite."""
        return float(np.max(list(self.residuals.values())))

    @property
    def passed(self) -> bool:
        """Finite, nowhere constant, and equivariant within the tolerance."""
        return self.finite and not self.constant and self.residual <= self.tolerance

    def __str__(self) -> str:
        lines = [
            f"{self.group}, {self.elements} elements ({self.reflections} reflections), {self.dtype}: "
            + ("equivariant" if self.passed else "NOT equivariant")
        ]
        for name, value in self.residuals.items():
            lines.append(f"  {name}: residual {value:.2e} (tolerance {self.tolerance:.0e})")
        if not self.finite:
            lines.append("  some outputs are not finite")
        if self.constant:
            lines.append(f"  constant outputs: {', '.join(self.constant)}")
        if self.finite and not self.residual <= self.tolerance:
            lines.append(f"  worst at {self.worst_element}")
        return "\n".join(lines)


def equivariance_residual(
    function: Callable[..., Any],
    rep_in: Any,
    rep_out: Any,
    group: Group,
    *,
    n_elements: int = 24,
    tolerance: float | None = None,
    seed: int = 0,
    dtype: str | None = None,
    batch_size: int | None = 8,
) -> EquivarianceReport:
    """Compare f(ρ_in(g) x) with ρ_out(g) f(x) over the group, every output of it.

    Elements are Haar-random, some near the identity, and half reflections where the group has them; a
    finite group is covered evenly. Each meets fresh random inputs.

    Args:
        function: maps a value of `rep_in`, or as many arguments as `rep_in` has items, to `rep_out`.
        rep_in: a FeatureType (random Features are made), a Field or Symmetry (random arrays), or a mapping
            or tuple of them.
        rep_out: likewise. Fields turn about the centre of `rep_in`.
        group: the group that is claimed.
        n_elements: how many elements, at least 20.
        tolerance: largest relative residual; 1e-12 in float64, 1e-5 in float32 if None.
        seed: seed of elements and inputs.
        dtype: "float64" or "float32"; if None, a module's own, else float64.
        batch_size: inputs to a call, as a leading axis; None gives single inputs.

    Returns:
        The report; nothing is raised if the function fails the test.

    Raises:
        ArgumentError: an argument is wrong, or an output is not of the declared type.

    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry.fields import Vector
    >>> report = equivariance_residual(lambda v: v + [0.1, 0.0], Vector(), Vector(), SO2())
    >>> report.passed, report.reflections
    (False, 0)
    """
    n_elements, seed = integer("n_elements", n_elements, most=2**20), integer("seed", seed, least=0)
    if batch_size is not None:
        batch_size = integer("batch_size", batch_size, least=1, most=2**20)
    if tolerance is not None:
        tolerance = number("tolerance", tolerance, least=0)
    checked_group("group", group)
    if not callable(function):
        raise ArgumentError("function", function, "a function of a value of rep_in")
    if n_elements < FEWEST_ELEMENTS:
        raise ArgumentError("n_elements", n_elements, f"at least {FEWEST_ELEMENTS}; fewer prove little")
    dtype = _dtype_of(function) if dtype is None else dtype
    if not isinstance(dtype, str) or dtype not in TOLERANCES:
        raise ArgumentError("dtype", dtype, "a floating type", TOLERANCES)
    tolerance = TOLERANCES[dtype] if tolerance is None else tolerance
    source = as_representation("rep_in", rep_in, group.dim)
    about = source.centre, source.scale, source.symmetry
    target = as_representation("rep_out", rep_out, group.dim, *about)
    rng = np.random.default_rng(seed)
    elements = _elements(group, n_elements, rng, source.scale)
    batch_shape = () if batch_size is None else (batch_size,)
    moved_outputs, outputs = [], []
    for g in elements:
        value = source.sample(rng, batch_shape, np.dtype(dtype))
        moved, output = _both_ways(function, source, target, g, value)
        moved_outputs.append(moved)
        outputs.append(output)
    return _report(group, elements, dtype, tolerance, moved_outputs, outputs)


def assert_equivariant(
    function: Callable[..., Any],
    rep_in: Any,
    rep_out: Any,
    group: Group,
    *,
    n_elements: int = 24,
    tolerance: float | None = None,
    seed: int = 0,
    dtype: str | None = None,
    batch_size: int | None = 8,
) -> EquivarianceReport:
    """Raise AssertionError unless f(ρ_in(g) x) = ρ_out(g) f(x), finite and nowhere constant.

    Arguments and errors are those of `equivariance_residual`.

    Returns:
        The report of a passed test.

    >>> from equiworld.groups import E2
    >>> from equiworld.symmetry.fields import Point, Vector
    >>> report = assert_equivariant(lambda p: p[..., 2:] - p[..., :2], Point(2), Vector(), E2())
    >>> report.elements, report.reflections
    (24, 12)
    """
    report = equivariance_residual(
        function,
        rep_in,
        rep_out,
        group,
        n_elements=n_elements,
        tolerance=tolerance,
        seed=seed,
        dtype=dtype,
        batch_size=batch_size,
    )
    if not report.passed:
        raise AssertionError(str(report))
    return report


def _both_ways(
    function: Callable[..., Any], source: Representation, target: Representation, g: GroupElement, value: Any
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The channels of f(ρ(g) x), and of ρ(g) f(x) (f(x) itself where it is not finite)."""
    moved_value = source.transform(g, value)
    with torch.no_grad():
        moved = function(*moved_value) if isinstance(moved_value, tuple) else function(moved_value)
        output = function(*value) if isinstance(value, tuple) else function(value)
    channels = target.channels(output)
    if all(np.isfinite(array).all() for array in channels.values()):
        channels = target.channels(target.transform(g, output))
    return target.channels(moved), channels


def _report(
    group: Group,
    elements: list[GroupElement],
    dtype: str,
    tolerance: float,
    moved_outputs: list[dict[str, Array]],
    outputs: list[dict[str, Array]],
) -> EquivarianceReport:
    """Collect residuals, constant channels and non-finite numbers."""
    if not outputs[0]:
        raise ArgumentError("rep_out", "an empty type", "at least one output")
    residuals: dict[str, float] = {}
    constant: list[str] = []
    finite = True
    by_element = np.zeros(len(elements))
    for name in outputs[0]:
        moved = np.stack([output[name] for output in moved_outputs])
        expected = np.stack([output[name] for output in outputs])
        if moved.shape != expected.shape:
            raise ArgumentError("function", f"outputs of shape {moved.shape[1:]}", f"{expected.shape[1:]}")
        if not (np.isfinite(moved).all() and np.isfinite(expected).all()):
            finite, residuals[name] = False, np.nan
            continue
        channels = expected.shape[-1]
        sizes = np.sqrt(np.square(expected).reshape(-1, channels).mean(0))
        scale = np.maximum(sizes, 1e-3 * np.sqrt(np.square(sizes).mean()))
        errors = np.abs(moved - expected) / np.where(scale > 0, scale, 1.0)
        errors = errors.reshape(len(elements), -1).max(-1)
        residuals[name], by_element = float(errors.max()), np.maximum(by_element, errors)
        # Over inputs as they went in: a constant vector must not seem to vary because g turned it.
        spread = np.ptp(moved.reshape(-1, *_item_shape(moved, name)), axis=0).reshape(-1, channels).max(0)
        still = spread <= 100 * np.finfo(dtype).eps * sizes
        constant += [f"{name}[{index}]" for index in np.flatnonzero(still)]
    return EquivarianceReport(
        group=group.name,
        elements=len(elements),
        reflections=sum(int(g.determinant < 0) for g in elements),
        dtype=dtype,
        tolerance=tolerance,
        residuals=residuals,
        finite=finite,
        constant=tuple(constant),
        worst_element=elements[int(by_element.argmax())].to_dict(),
    )


def _item_shape(array: Array, name: str) -> tuple[int, ...]:
    """`(C,)` for scalars, `(d, C)` for vectors and points."""
    return array.shape[-1:] if name.endswith("scalars") else array.shape[-2:]


def _dtype_of(function: Callable[..., Any]) -> str:
    """The dtype of a module's first parameter, float64 for anything else."""
    parameter = next(function.parameters(), None) if isinstance(function, nn.Module) else None
    return "float64" if parameter is None else str(parameter.dtype).removeprefix("torch.")


def _elements(group: Group, n: int, rng: np.random.Generator, scale: float) -> list[GroupElement]:
    """n elements: near the identity, Haar-random, and half reflections where there are any."""
    if group.finite:
        known = list(group.grid(n))
        return known + [group.sample(rng, scale=scale) for _ in range(n - len(known))]
    near = [group.near_identity(rng, scale=1e-3) for _ in range(n // 6)]
    drawn = list(group.sample(rng, 8 * n, scale=scale))
    proper = [g for g in drawn if g.determinant > 0]
    mirrored = [g for g in drawn if g.determinant < 0]
    half = n // 2 if mirrored else 0
    return near + mirrored[:half] + proper[: n - half - len(near)]
