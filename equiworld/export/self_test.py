"""The self-test of an exported file: inputs, what has to come out, and the elements between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.arguments import number
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.groups import GroupElement
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import Field, Symmetry
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

__all__ = ["SelfTest"]

Arrays = dict[str, NDArray[Any]]
_KIND = "self-test"


@dataclass(frozen=True, eq=False)
class SelfTest:
    """N inputs: B as they are, then the same B moved by each of E elements; N = (1 + E) B.

    Attributes:
        inputs: by name, `(N, size)`.
        expected: by name, what the original gives, `(N, size)`.
        elements: the batch `(E,)`; None where nothing is claimed of the orbit.
        symmetry: that moves the outputs; None likewise.
        moved: by name of output, that of its field in `symmetry`; "action" is the action.
        tolerance: of |file − original|, in units of the largest expected number or 1.
        orbit_tolerance: of |file(g·x) − g·file(x)|, likewise.
    """

    inputs: Arrays
    expected: Arrays
    elements: GroupElement | None = None
    symmetry: Symmetry | None = None
    moved: Mapping[str, str] = dataclass_field(default_factory=dict)
    tolerance: float = 1e-5
    orbit_tolerance: float = 1e-5

    @property
    def rows(self) -> int:
        """N."""
        return len(next(iter(self.inputs.values())))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file with JSON in its header: nothing in it is code."""
        tensors = {f"input.{name}": torch.from_numpy(np.array(each)) for name, each in self.inputs.items()}
        tensors |= {
            f"expected.{name}": torch.from_numpy(np.array(each)) for name, each in self.expected.items()
        }
        settings = {
            "inputs": list(self.inputs),
            "expected": list(self.expected),
            "elements": None if self.elements is None else self.elements.to_dict(),
            "symmetry": None if self.symmetry is None else symmetry_to_dict(self.symmetry),
            "moved": dict(self.moved),
            "tolerance": self.tolerance,
            "orbit_tolerance": self.orbit_tolerance,
        }
        return save_tensors(path, _KIND, tensors, settings)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SelfTest:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            CheckpointError: it is damaged, or no self-test.
        """
        tensors, settings = load_tensors(path, _KIND)
        try:
            inputs = {name: tensors[f"input.{name}"].numpy() for name in settings["inputs"]}
            expected = {name: tensors[f"expected.{name}"].numpy() for name in settings["expected"]}
            elements, symmetry = settings["elements"], settings["symmetry"]
            return SelfTest(
                inputs,
                expected,
                None if elements is None else GroupElement.from_dict(elements),
                None if symmetry is None else symmetry_from_dict(symmetry),
                {str(name): str(field) for name, field in settings["moved"].items()},
                number("tolerance", settings["tolerance"], least=0.0),
                number("orbit_tolerance", settings["orbit_tolerance"], least=0.0),
            )
        except (KeyError, TypeError, AttributeError, ArgumentError) as error:
            raise CheckpointError(f"{os.fspath(path)} is damaged, or of another version: {error}") from error

    def deviation(self, found: Mapping[str, NDArray[Any]]) -> float:
        """The largest |found − expected| of all outputs, each in units of its largest expected number, or 1.

        Angles are compared as directions.

        Raises:
            CheckpointError: an output is missing, or of another shape.
        """
        worst = 0.0
        for name, expected in self.expected.items():
            array = found.get(name)
            if array is None or array.shape != expected.shape:
                got = "none" if array is None else f"of shape {array.shape}"
                raise CheckpointError(f"the file's output {name!r} is {got}; expected shape {expected.shape}")
            worst = max(worst, self._apart(name, array, expected))
        return worst

    def orbit_deviation(self, found: Mapping[str, NDArray[Any]]) -> float | None:
        """The largest |f(g·x) − ρ(g)·f(x)| of the outputs that move; None where nothing is claimed."""
        if self.elements is None or self.symmetry is None:
            return None
        count, worst = self.rows // (1 + len(self.elements)), 0.0
        for name in self.moved:
            blocks = np.asarray(found[name], np.float64).reshape(-1, count, found[name].shape[-1])
            move = self._mover(name)
            for g, block in zip(self.elements, blocks[1:], strict=True):
                worst = max(worst, self._apart(name, block, move(g, blocks[0])))
        return worst

    def _field(self, name: str) -> Field | None:
        symmetry = self.symmetry
        if symmetry is None or name not in self.moved:
            return None
        field = self.moved[name]
        return symmetry.action if field == "action" else symmetry.observation[field]

    def _mover(self, name: str) -> Callable[[GroupElement, NDArray[np.float64]], NDArray[Any]]:
        symmetry, field = self.symmetry, self._field(name)
        assert symmetry is not None
        assert field is not None
        return lambda g, array: field.transform(symmetry.own(g), array, symmetry.centre, name)

    def _apart(self, name: str, first: NDArray[Any], second: NDArray[Any]) -> float:
        field = self._field(name)
        first, second = (np.asarray(each, np.float64) for each in (first, second))
        if not np.isfinite(first).all():
            return float("inf")
        if field is None or field.affine:
            return float(np.abs(first - second).max(initial=0.0) / max(1.0, np.abs(second).max(initial=0.0)))
        assert self.symmetry is not None
        centre = np.asarray(self.symmetry.centre)
        one, other = field.encode(first, centre), field.encode(second, centre)
        return max(float(np.abs(one[kind] - other[kind]).max(initial=0.0)) for kind in one)
