"""One-step errors: 0 for what is right, 1 for "nothing moves", an angle for an angle; and no data seen before."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation as ScipyRotation

import equiworld as ew
from equiworld.errors import ArgumentError, OverlapError, SimulationError
from equiworld.groups import SE2, SE3, left_right
from equiworld.symmetry import (
    Cloud,
    Concatenation,
    Features,
    Heading,
    Permuted,
    Point,
    Rotation,
    Scalar,
    SignedPermutation,
    Symmetry,
    Vector,
)
from equiworld.training import Dataset
from equiworld.verify import prediction
from equiworld.verify.prediction import FieldError, prediction_error, relative_error

PLANE = Symmetry(
    SE2(),
    {
        "hand": Point(unit="m"),
        "ways": Vector(2, unit="m/s"),
        "turn": Heading(),
        "mass": Scalar(unit="kg"),
        "pose": Concatenation((Point(), Heading())),
    },
    action=Vector(),
    centre=(3.0, -2.0),
)
SPACE = Symmetry(SE3(), {"pose": Rotation(2), "quat": Rotation(form="xyzw"), "at": Point()}, action=Vector())


def drawn(symmetry: Symmetry, count: int = 30, seed: int = 0, action_repeat: int = 1) -> Dataset:
    rng, dim = np.random.default_rng(seed), symmetry.dim

    def arrays() -> dict[str, Any]:
        found = {
            name: rng.uniform(-3, 3, (count, symmetry.observation[name].size(dim))) for name in symmetry.state
        }
        for name in symmetry.state:
            declared = symmetry.observation[name]
            if isinstance(declared, Rotation):
                turns = ScipyRotation.random(count * declared.count, rng=rng)
                numbers = turns.as_matrix() if declared.form == "matrix" else turns.as_quat()
                found[name] = numbers.reshape(count, -1)
        return found

    size = symmetry.action.size(dim)
    return Dataset(
        symmetry,
        arrays(),
        rng.normal(size=(count, size)),
        arrays(),
        rng.integers(9, size=count),
        action_repeat,
    )


class Known:
    """A world model that answers what it is told to: a function of the true answer and of what is."""

    def __init__(self, data: Dataset, answer: Any) -> None:
        self.symmetry = self.latent = self.declared = data.symmetry
        self.action_repeat, self.answer = data.action_repeat, answer
        self.following, self.at = data.features(torch.float64)[2], 0

    def __deepcopy__(self, memo: Any) -> Known:
        return copy.copy(self)

    def to(self, dtype: torch.dtype) -> Known:
        return self

    def eval(self) -> Known:
        return self

    def fits(self, symmetry: Symmetry) -> bool:
        return symmetry == self.symmetry

    def carried(self, symmetry: Symmetry) -> Symmetry:
        return symmetry

    def encode_features(self, observed: Features) -> Features:
        return observed

    def predict(self, z: Features, action: Features) -> Features:
        rows = slice(self.at, self.at + len(z.scalars))
        self.at = rows.stop
        return self.answer(self.following[rows], z)


def arrays_moved(data: Dataset, **changes: Any) -> Any:
    """An answer whose arrays are the true ones, some of them changed."""

    def answer(truth: Features, now: Features) -> Features:
        arrays = data.symmetry.observation_arrays(truth)
        return data.symmetry.to_features(
            {name: changes.get(name, lambda array: array)(array) for name, array in arrays.items()},
            data.symmetry.state,
            torch.float64,
        )

    return answer


@pytest.mark.parametrize("symmetry", [PLANE, SPACE], ids=["plane", "space"])
def test_what_is_right_is_0_and_what_never_moves_is_1(symmetry):
    data = drawn(symmetry)
    right = prediction_error(Known(data, lambda truth, now: truth), data)  # type: ignore[arg-type]
    assert right.relative == 0
    assert all(error.rms == 0 and error.motion > 0 for error in right.fields.values())
    still = prediction_error(Known(data, lambda truth, now: now), data)  # type: ignore[arg-type]
    assert still.relative == 1
    assert all(error.relative == pytest.approx(1) for error in still.fields.values())
    assert still.n == 30
    stays = replace(data, next_observation=data.observation)
    assert prediction_error(Known(stays, lambda truth, now: now), stays).relative is None  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(angle=st.floats(-20, 20), length=st.floats(0.01, 100), seed=st.integers(0, 99))
def test_errors_are_in_the_units_of_the_field(angle, length, seed):
    data = drawn(PLANE, seed=seed)
    way = np.array([0.6, 0.8]) * length
    changes = {
        "hand": lambda array: array + way,
        "ways": lambda array: array + np.r_[way, way],
        "turn": lambda array: array + angle,
        "mass": lambda array: array - length,
        "pose": lambda array: array + np.r_[way, angle],
    }
    found = prediction_error(Known(data, arrays_moved(data, **changes)), data).fields  # type: ignore[arg-type]
    turned = abs((angle + np.pi) % (2 * np.pi) - np.pi)
    assert {name: error.unit for name, error in found.items()} == {
        "hand": "m", "ways": "m/s", "turn": "rad", "mass": "kg", "pose[0]": "", "pose[1]": "rad"
    }  # fmt: skip
    for name, error in found.items():
        expected = turned if error.unit == "rad" else length
        assert error.rms == pytest.approx(expected, rel=1e-9, abs=1e-9), name


@settings(max_examples=30, deadline=None)
@given(turn=st.tuples(*[st.floats(-1.7, 1.7)] * 3))
def test_rotations_are_apart_by_an_angle(turn):
    """SciPy says by which."""
    data = drawn(SPACE)
    by = ScipyRotation.from_rotvec(turn)

    def turned(array: Any) -> Any:
        matrices = by.as_matrix() @ array.reshape(len(array), -1, 3, 3)
        return matrices.reshape(array.shape)

    quats = lambda array: (by * ScipyRotation.from_quat(array)).as_quat()  # noqa: E731
    found = prediction_error(Known(data, arrays_moved(data, pose=turned, quat=quats)), data).fields  # type: ignore[arg-type]
    assert found["pose"].rms == pytest.approx(by.magnitude(), abs=1e-7)
    assert found["quat"].rms == pytest.approx(by.magnitude(), abs=1e-7)
    assert found["at"].rms == pytest.approx(0, abs=1e-12)


def test_it_is_the_definition_written_out(pusht_data):
    """Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖², from the model's own arrays, heading by its cosine and sine."""
    model = ew.WorldModel.for_data(pusht_data, "state", hidden=(16,))
    model.action_repeat = pusht_data.action_repeat
    found = prediction_error(model, pusht_data)
    before, action, after = pusht_data.features(torch.float64)
    with torch.no_grad():
        guess = copy.deepcopy(model).double().predict(before, action)
    error = sum(
        float(((one - two) ** 2).sum())
        for one, two in (
            (guess.scalars, after.scalars),
            (guess.vectors, after.vectors),
            (guess.points, after.points),
        )
    )
    numbers = {name: array.astype(float) for name, array in pusht_data.observation.items()}
    moved = 0.0
    for name, array in pusht_data.next_observation.items():
        if name == "block_heading":
            moved += sum(((f(array) - f(numbers[name])) ** 2).sum() for f in (np.cos, np.sin))
        else:
            moved += ((array - numbers[name]) ** 2).sum()
    assert found.relative == pytest.approx(error / moved, rel=1e-9)
    assert 0 < found.relative < 10


def test_turned_data_is_as_hard_for_an_equivariant_model_and_not_for_another(pusht_data):
    g = ew.SE2().element(ew.SE2().rotation(2.1).matrix, (30.0, -7.0))
    for family, equal in {"state": True, "mlp": False}.items():
        model = ew.train(
            ew.WorldModel.for_data(pusht_data, family, hidden=(16,)), pusht_data, ew.TrainingConfig(steps=3)
        )
        here, there = (prediction_error(model, data) for data in (pusht_data, pusht_data.transform(g)))
        assert (there.relative == pytest.approx(here.relative, rel=1e-9)) == equal
        assert (
            there.fields["block_pos"].rms == pytest.approx(here.fields["block_pos"].rms, rel=1e-9)
        ) == equal


def test_pieces_add_up_and_the_model_is_left_as_it_was(pusht_data, monkeypatch):
    model = ew.WorldModel.for_data(pusht_data, "state", hidden=(16,)).train()
    model.action_repeat = pusht_data.action_repeat
    before = {name: value.clone() for name, value in model.state_dict().items()}
    whole = prediction_error(model, pusht_data)
    monkeypatch.setattr(prediction, "_ROWS", 7)
    pieces = prediction_error(model, pusht_data)
    assert pieces.relative == pytest.approx(whole.relative, rel=1e-12)
    for name, error in whole.fields.items():
        assert pieces.fields[name].rms == pytest.approx(error.rms, rel=1e-12)
    assert model.training
    assert model.dtype == torch.float32
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


CLOUDS = Symmetry(SE3(), {"cloud": Cloud(24), "hand": Point()}, action=Vector())
MIRRORED = Symmetry(
    left_right(),
    {
        "joints": SignedPermutation(((1, 0),)),
        "feet": Permuted(Concatenation((Vector(), Scalar())), ((1, 0),)),
    },
    action=SignedPermutation(((1, 0),)),
)


@pytest.mark.parametrize(
    ("symmetry", "names"),
    [
        (CLOUDS, {"keypoints", "hand"}),
        (MIRRORED, {"joints", "feet[0]", "feet[1]", "feet[2]", "feet[3]"}),
    ],
    ids=["clouds", "labels"],
)
def test_other_latents_have_fields_of_their_own(symmetry, names):
    data = drawn(symmetry, 12)
    found = prediction_error(ew.WorldModel.for_data(data), data)
    assert set(found.fields) == names
    assert all(np.isfinite([error.rms, error.motion]).all() for error in found.fields.values())
    assert found.relative > 0


FORMS = {"wxyz": [3, 0, 1, 2], "xyzw": [0, 1, 2, 3]}
TURNING = {
    "plain": (SE3(), Rotation(), {}),
    "labels": (left_right(), Rotation(body=True), {"joints": SignedPermutation(((1, 0),))}),
}


def turning(kind: str, form: str, spoken: str | None = None) -> Dataset:
    """Bodies that turn steadily, their quaternions in a form, declared as another perhaps."""
    group, rotation, others = TURNING[kind]
    rng = np.random.default_rng(5)
    first, rates = ScipyRotation.random(40, rng=rng), rng.normal(size=(40, 3))
    now, after = (
        (ScipyRotation.from_rotvec(time * rates) * first).as_quat()[:, FORMS[form]] for time in (0.0, 0.2)
    )
    rest = {name: rng.normal(size=(40, field.size(3))) for name, field in others.items()}
    symmetry = Symmetry(group, {"turn": replace(rotation, form=spoken or form), **others}, action=Vector())
    arrays = ({"turn": each, **rest} for each in (now, after))
    action = np.ones((40, 3))
    return Dataset(symmetry, next(arrays), action, next(arrays), np.arange(40))


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("plain", "state"),
        ("plain", "mlp"),
        ("labels", "state"),
        ("labels", "mlp"),
        ("labels", "state-regular"),
    ],
)
def test_data_keeps_the_form_of_its_arrays(kind, family):
    """The same rotations in another order of numbers train the same weights and are as hard to predict."""
    one, other = (turning(kind, form) for form in FORMS)
    wrong = turning(kind, "xyzw", spoken="wxyz")
    config = ew.TrainingConfig(steps=5, held_out=0.0)
    settings = {} if family == "state-regular" else {"hidden": (8,)}
    models = [
        ew.train(ew.WorldModel.for_data(one, family, **settings), data, config)
        for data in (one, other, wrong)
    ]
    same = [
        all(
            torch.allclose(mine, its, rtol=0, atol=1e-6)
            for mine, its in zip(models[0].state_dict().values(), model.state_dict().values(), strict=True)
        )
        for model in models
    ]
    assert same == [True, True, False]
    found = [prediction_error(models[0], data) for data in (one, other, wrong)]
    assert found[1].relative == pytest.approx(found[0].relative, rel=1e-9)
    assert found[1].fields["turn"].rms == pytest.approx(found[0].fields["turn"].rms, rel=1e-9)
    assert found[2].relative != pytest.approx(found[0].relative, rel=1e-3)


def test_data_that_was_trained_on_is_found(pusht_data):
    seen, unseen = pusht_data.split((0.8, 0.2))
    model = ew.WorldModel.for_data(seen, "state", hidden=(8,))
    model.action_repeat = seen.action_repeat
    found = prediction_error(model, unseen, trained_on=seen)
    assert set(found.overlap["shared"].values()) == {0}
    assert prediction_error(model, unseen).overlap is None
    for data in (seen, pusht_data, seen.transform(ew.SE2().rotation(1.0)), pusht_data.select(slice(0, 1))):
        if set(data.episode) & set(seen.episode):
            with pytest.raises(OverlapError, match="data and trained_on share"):
                prediction_error(model, data, trained_on=seen)


def test_what_does_not_fit_is_refused(pusht_data):
    model = ew.WorldModel.for_data(pusht_data, "state", hidden=(8,))
    model.action_repeat = 1
    with pytest.raises(ArgumentError, match="action_repeat 2; expected 1, the model's"):
        prediction_error(model, pusht_data)
    model.action_repeat = pusht_data.action_repeat
    with pytest.raises(ArgumentError, match="data: got no transitions"):
        prediction_error(model, pusht_data.select(slice(0, 0)))
    with pytest.raises(ArgumentError, match="those of the model"):
        prediction_error(model, drawn(PLANE, action_repeat=2))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(SimulationError, match="predicted NaN or infinity"):
        prediction_error(model, pusht_data)


def test_it_is_shown_as_text_and_as_a_row():
    data = drawn(PLANE)
    found = prediction_error(Known(data, lambda truth, now: now), data)  # type: ignore[arg-type]
    assert str(found).startswith("relMSE 1 over 30 transitions")
    assert "m/s" in str(found)
    assert found.row()["hand_rms"] == found.fields["hand"].rms
    assert FieldError(0.0, 0.0).relative is None
    assert relative_error(1.0, 0.0) is None
