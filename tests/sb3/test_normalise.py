"""Normalisation by type: it commutes, its statistics are those of the orbit, and it goes to files and back."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from equiworld.errors import ArgumentError
from equiworld.groups import SO2
from equiworld.sb3 import VecNormalizeEquivariant, with_symmetry
from equiworld.symmetry import Symmetry, Vector, symmetry_of
from equiworld.symmetry.sampling import random_observation


def warmed(kind, symmetry, **kwargs):
    venv = kind(make_vec_env(lambda: Drift(symmetry), 4, seed=0), **kwargs)
    venv.reset()
    size = symmetry.action.size(symmetry.dim)
    for _ in range(5):  # few, so that nothing is symmetric by itself
        venv.step(np.zeros((4, size)))
    return venv


def residual(venv, symmetry, shown):
    rng = np.random.default_rng(5)
    seen = random_observation(symmetry, rng, 32)
    g = symmetry.group.sample(rng, 32)
    one = venv.normalize_obs(symmetry.transform_observation(g, seen))
    other = shown.transform_observation(g, venv.normalize_obs(seen))
    return max(np.abs(one[name] - other[name]).max() for name in one)


@pytest.mark.parametrize("name", CASES)
def test_it_commutes_where_the_plain_one_does_not(name):
    symmetry = CASES[name]
    if any(type(field).__name__ in ("Heading", "Rotation") for field in symmetry.observation.values()):
        pytest.skip("angles are compared as angles, and are left alone")
    venv = warmed(VecNormalizeEquivariant, symmetry, clip_obs=1.5)
    assert residual(venv, symmetry, venv.symmetry) < 5e-6
    if name in ("turns, a vector", "mirrors, rates", "left and right", "two bodies that are alike"):
        assert residual(warmed(VecNormalize, symmetry, clip_obs=1.5), symmetry, symmetry) > 1e-2


def test_what_is_no_vector_environment_or_normalised_already_is_refused():
    symmetry = CASES["mirrors, rates"]
    venv = make_vec_env(lambda: Drift(symmetry), 1, seed=0)
    for name, given, settings in (
        ("venv", Drift(symmetry), {}),
        ("venv", VecNormalize(venv), {}),
        ("norm_obs_keys", venv, {"norm_obs_keys": ["nope"]}),
        ("clip_obs", venv, {"clip_obs": np.nan}),
        ("space", venv, {"symmetry": CASES["left and right"]}),
    ):
        with pytest.raises(ArgumentError, match=name):
            VecNormalizeEquivariant(given, **{"symmetry": symmetry, **settings})


def test_numbers_have_spread_one_and_come_back():
    symmetry = CASES["mirrors, rates"]
    venv = warmed(VecNormalizeEquivariant, symmetry)
    for _ in range(200):
        venv.step(np.zeros((4, 2)))
    seen = random_observation(symmetry, np.random.default_rng(1), 500)
    found = venv.normalize_obs(seen)
    for name in ("way", "rate"):
        assert np.sqrt(np.square(found[name]).mean()) == pytest.approx(1.0, abs=0.15)
        assert np.allclose(venv.unnormalize_obs(found)[name], seen[name], atol=1e-4)


def test_the_look_up_finds_its_symmetry_and_files_keep_its_statistics(tmp_path):
    symmetry = CASES["left and right"]
    venv = warmed(VecNormalizeEquivariant, symmetry)
    assert symmetry_of(venv).group == symmetry.group
    venv.save(str(tmp_path / "statistics.pkl"))
    again = VecNormalizeEquivariant.load(
        str(tmp_path / "statistics.pkl"), make_vec_env(lambda: Drift(symmetry), 4, seed=1)
    )
    seen = random_observation(symmetry, np.random.default_rng(1), 3)
    for name, array in venv.normalize_obs(seen).items():
        assert np.array_equal(array, again.normalize_obs(seen)[name])


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, (1.0, 1.0)),
        ({"norm_obs_keys": ["way"]}, (1.0, 5.0)),
        ({"norm_obs": False}, (0.1, 5.0)),
        ({"norm_obs": False, "norm_obs_keys": ["way"]}, (0.1, 5.0)),
    ],
)
@pytest.mark.parametrize("carried", [False, True])
def test_scales_are_1_of_what_is_normalised_and_the_environments_keep_theirs(settings, shown, carried):
    symmetry = Symmetry(SO2(), {"way": Vector(scale=0.1), "goal": Vector(scale=5.0)}, Vector())
    raw = make_vec_env(lambda: with_symmetry(Drift(symmetry)) if carried else Drift(symmetry), 1, seed=0)
    venv = VecNormalizeEquivariant(raw, symmetry, **settings)

    def scales(each):
        fields = symmetry_of(each).observation
        return fields["way"].scale, fields["goal"].scale

    assert scales(venv) == shown
    assert venv.observation_space == raw.observation_space
    assert scales(raw) == (0.1, 5.0)
    assert hasattr(raw.observation_space, "symmetry") == carried
