"""How wrong a world model is one step ahead, as a share of what a step moves, and field by field in its units."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.errors import ArgumentError, SimulationError
from equiworld.results import text_table
from equiworld.symmetry import Concatenation, Features, Heading, Rotation, Symmetry
from equiworld.symmetry.concatenation import units
from equiworld.symmetry.field import Field
from equiworld.verify.distances import sizes

if TYPE_CHECKING:  # protocols would only repeat them
    from equiworld.models import WorldModel
    from equiworld.training import Dataset

__all__ = ["FieldError", "PredictionError", "one_step", "prediction_error", "relative_error"]

Array = NDArray[np.float64]

_ROWS = 4096  # transitions predicted at once


@dataclass(frozen=True)
class FieldError:
    """How wrong one field is, in its own units; of a heading or a rotation the angle [rad].

    Attributes:
        rms: root of the mean square error of one of its items: a point, an arrow, an angle or a number.
        motion: likewise, how far a step moves it: what "nothing moves" is wrong by.
        unit: as declared; "rad" of angles.

    >>> FieldError(rms=0.5, motion=1.0, unit="m").relative
    0.25
    """

    rms: float
    motion: float
    unit: str = ""

    @property
    def relative(self) -> float | None:
        """Σ error² / Σ motion²; None where nothing moves."""
        return relative_error(self.rms * self.rms, self.motion * self.motion)


@dataclass(frozen=True)
class PredictionError:
    """How wrong a model is one step ahead.

    Attributes:
        relative: relMSE = Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖², pooled over transitions and features; 0 is
            perfect, 1 as bad as "nothing moves". None where nothing moves. Fields of other units are added up as they
            are: where one of them outweighs the others, look at `fields`.
        n: how many transitions.
        fields: of the latent state, which is the observed one unless there is an encoder.
        overlap: what `check_disjoint` found of the data and what the model was trained on; None if that was not told.
    """

    relative: float | None
    n: int
    fields: Mapping[str, FieldError] = field(hash=False)
    overlap: Mapping[str, Any] | None = field(default=None, hash=False)

    def row(self) -> dict[str, Any]:
        """One line of a result file."""
        found: dict[str, Any] = {"n": self.n, "relative_error": self.relative}
        for name, error in self.fields.items():
            found |= {f"{name}_rms": error.rms, f"{name}_motion": error.motion}
        return found

    def __str__(self) -> str:
        share = "none, for nothing moves" if self.relative is None else f"{self.relative:.4g}"
        rows = [
            {
                "field": name,
                "error": error.rms,
                "motion": error.motion,
                "unit": error.unit or "",
                "relative": error.relative,
            }
            for name, error in self.fields.items()
        ]
        return f"relMSE {share} over {self.n} transitions\n{text_table(rows)}"


def prediction_error(
    model: WorldModel, data: Dataset, *, trained_on: Dataset | None = None
) -> PredictionError:
    """Predict every transition by one step, in float64.

    Args:
        model: left as it is.
        data: transitions that it was not trained on, of the declaration that it was made for.
        trained_on: those that it was trained on, to prove that the others are not among them.

    Raises:
        ArgumentError: model and data do not fit together, or there are no transitions.
        OverlapError: the data shares transitions or episodes with `trained_on`.
        SimulationError: a prediction is not finite.

    >>> import equiworld as ew
    >>> seen, unseen = ew.collect("equiworld/PushT-v0", transitions=60, seed=0, workers=1).split((0.8, 0.2))
    >>> model = ew.train(ew.WorldModel.for_data(seen, scalars=8, vectors=4), seen, ew.TrainingConfig(steps=2))
    >>> found = prediction_error(model, unseen, trained_on=seen)
    >>> found.n, found.fields["block_heading"].unit, found.overlap["shared"]["data/trained_on episodes"]
    (12, 'rad', 0)
    """
    for name, value in (("data", data), ("trained_on", trained_on)):
        if not hasattr(value, "check_disjoint") and (value is not None or name == "data"):
            raise ArgumentError(name, f"a {type(value).__name__}", "a Dataset")
    if isinstance(model, type) or not all(hasattr(model, name) for name in ("fits", "predict", "latent")):
        raise ArgumentError("model", f"a {type(model).__name__}", "a WorldModel")
    if not len(data):
        raise ArgumentError("data", "no transitions", "at least one")
    if not model.fits(data.symmetry):
        raise ArgumentError(
            "data", data.symmetry.channels(), f"those of the model, {model.symmetry.channels()}"
        )
    overlap = None if trained_on is None else data.check_disjoint(trained_on=trained_on)
    sums = _Sums(model.latent)
    for part in one_step(model, data):
        sums.add(*part)
    return PredictionError(sums.relative(), len(data), sums.fields(), overlap)


def one_step(model: WorldModel, data: Dataset) -> Iterator[tuple[Features, Features, Features]]:
    """E(s), F(E(s), a) and E(s′) in float64, some thousand transitions at a time.

    Args:
        model: left as it is.
        data: transitions, of another declaration of the same numbers perhaps.

    Raises:
        ArgumentError: the data was collected with another action repeat than the model was trained with.
    """
    if data.action_repeat != model.action_repeat:
        got, expected = f"action_repeat {data.action_repeat}", f"{model.action_repeat}, the model's"
        raise ArgumentError("data", got, expected)
    double = copy.deepcopy(model).to(torch.float64).eval()
    # Data of the same channels keeps the form of its arrays, quaternions in another order say; of other data the
    # numbers are read as the model declares them.
    fits = model.fits(data.symmetry)
    data = replace(data, symmetry=model.carried(data.symmetry) if fits else model.symmetry)
    for start in range(0, max(len(data), 1), _ROWS):
        state, action, following = data.select(slice(start, start + _ROWS)).features(torch.float64)
        with torch.inference_mode():
            now, target = double.encode_features(state), double.encode_features(following)
            yield now, double.predict(now, action), target


def relative_error(error: float, motion: float) -> float | None:
    """relMSE, of the squares added up; None where nothing moved.

    >>> relative_error(1.0, 8.0)
    0.125
    """
    return error / motion if motion > 0 else None


class _Sums:
    """Squares added up over transitions."""

    def __init__(self, latent: Symmetry) -> None:
        self.latent = latent
        self.parts = {name: list(_items(latent.observation[name], latent.dim)) for name in latent.state}
        self.error = self.motion = 0.0
        self.squares: dict[str, Array] = {}

    def add(self, now: Features, predicted: Features, target: Features) -> None:
        if not bool(torch.isfinite(predicted.flatten()).all()):
            raise SimulationError("the model predicted NaN or infinity; expected finite numbers")
        self.error += _squared(predicted, target)
        self.motion += _squared(target, now)
        before, guess, after = (_arrays(self.latent, each) for each in (now, predicted, target))
        centre = np.asarray(self.latent.centre)
        for name, key, leaf, at in self.leaves():
            apart = [
                _distances(leaf, one[name][..., at], after[name][..., at], centre) for one in (guess, before)
            ]
            found = np.array([(each**2).sum() for each in apart] + [apart[0].size])
            self.squares[key] = self.squares.get(key, np.zeros(3)) + found

    def leaves(self) -> Iterator[tuple[str, str, Field, Any]]:
        """By field and by what to call it, the plain fields of the latent state, and where each lies."""
        for name, parts in self.parts.items():
            for index, (leaf, at) in enumerate(parts):
                yield name, name if len(parts) == 1 else f"{name}[{index}]", leaf, at

    def relative(self) -> float | None:
        return relative_error(self.error, self.motion)

    def fields(self) -> dict[str, FieldError]:
        found = {}
        for _, key, leaf, _ in self.leaves():
            error, motion, count = self.squares[key].tolist()
            unit = "rad" if isinstance(leaf, Heading | Rotation) else leaf.unit
            found[key] = FieldError((error / count) ** 0.5, (motion / count) ** 0.5, unit)
        return found


def _items(declared: Field, dim: int, at: Any = None) -> Iterator[tuple[Field, Any]]:
    """The plain fields that a field consists of, whatever labels make of it, and the places of each one's numbers."""
    for part, places in units(declared, dim, at):
        plain = part.plain()
        if isinstance(plain, Concatenation) and plain != part:
            yield from _items(plain, dim, places)
        else:
            yield plain, places


def _arrays(latent: Symmetry, features: Features) -> dict[str, Array]:
    return {name: array.astype(np.float64) for name, array in latent.observation_arrays(features).items()}


def _squared(first: Features, second: Features) -> float:
    """‖first − second‖², added up over the batch."""
    return float((first.flatten() - second.flatten()).square().sum())


def _distances(leaf: Field, first: Array, second: Array, centre: Array) -> Array:
    """How far apart the items of two arrays `(N, size)` are: `(N, items)`."""
    if isinstance(leaf, Heading):
        return np.abs((first - second + np.pi) % (2 * np.pi) - np.pi)
    found = []
    pairs = leaf.encode(first, centre), leaf.encode(second, centre)
    for kind, channels in pairs[0].items():
        apart = channels - pairs[1][kind]
        found.append(sizes(kind, apart))
    lengths = np.concatenate(found, -1)
    if not isinstance(leaf, Rotation):
        return lengths
    # Three axes each: ‖A − B‖ = √8 sin(angle / 2), which near 0 is better conditioned than the trace.
    chords = np.linalg.norm(lengths.reshape(*lengths.shape[:-1], -1, 3), axis=-1)
    return 2 * np.arcsin(np.minimum(chords / np.sqrt(8), 1.0))
