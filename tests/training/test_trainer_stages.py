"""Training in stages: resumed inside each of them to the last bit, and fitting data only."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from cloud_model_cases import cloud_data, cloud_model, env_of
from trainer_cases import PLAIN, Stop, fresh, same

from equiworld.errors import ArgumentError, CheckpointError, SimulationError
from equiworld.models import WorldModel
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import Cloud, Point
from equiworld.training import TrainingConfig, train, trainer
from equiworld.training.stages import stages_of
from equiworld.training.trainer import CHECKPOINT

pytest.importorskip("mujoco")

CONFIG = TrainingConfig(steps=14, batch_size=64, encoder_steps=8, joint_steps=9, checkpoint_every=4)
LEARNED = {"vectors": 1, "scalars": 1}


@pytest.fixture(autouse=True)
def _counted_losses(monkeypatch):
    """Losses of models that `interrupted` made are counted."""

    def stages(model, *arguments):
        counted = getattr(model, "counted", lambda loss: loss)
        return [replace(stage, loss=counted(stage.loss)) for stage in stages_of(model, *arguments)]

    monkeypatch.setattr(trainer, "stages_of", stages)


def interrupted(model: WorldModel, at: int, then=None) -> WorldModel:
    """A model whose loss, the `at`-th that any stage trains on, raises; or is what `then` makes of it."""
    calls = 0

    def counted(loss):
        def called(*arguments):
            nonlocal calls
            calls += torch.is_grad_enabled()  # held-out episodes are judged without gradients
            if calls == at and then is None:
                raise Stop
            return loss(*arguments) if calls != at else then(loss(*arguments))

        return called

    model.counted = counted  # type: ignore
    return model


def reached(folder) -> tuple[int, int]:
    settings = load_tensors(folder / CHECKPOINT, "checkpoint")[1]
    return settings["stage"], settings["step"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", ["latent", "latent-augmented"])
def test_resumed_inside_each_stage_is_uninterrupted_to_the_last_bit(family, tmp_path):
    data, config = cloud_data(), replace(CONFIG, folder=str(tmp_path))
    whole = train(cloud_model(family, **LEARNED), data, CONFIG)
    assert not same(whole, cloud_model(family, **LEARNED))
    # Each begins at the last checkpoint: before one, inside the first, at its end, and inside the others.
    for calls, expected in ((3, None), (6, (0, 4)), (6, (0, 8)), (7, (1, 4)), (17, (2, 4)), (5, (2, 8))):
        with pytest.raises(Stop):
            train(interrupted(cloud_model(family, **LEARNED), calls), data, config)
        assert (reached(tmp_path) if expected else None) == expected
    assert same(train(cloud_model(family, **LEARNED), data, config), whole)


@pytest.mark.parametrize("family", ["latent", "latent-augmented"])
@pytest.mark.parametrize("seed", [1])
def test_resumed_is_uninterrupted_wherever_it_stopped(family, seed, tmp_path):
    rng, data = np.random.default_rng(seed), cloud_data()
    whole = train(cloud_model(family).double(), data, CONFIG)
    config = replace(CONFIG, folder=str(tmp_path), checkpoint_every=int(rng.integers(1, 7)))
    for _ in range(4):
        with pytest.raises(Stop):
            train(interrupted(cloud_model(family).double(), int(rng.integers(1, 8))), data, config)
    assert same(train(cloud_model(family).double(), data, config), whole)


@pytest.mark.parametrize("calls", [6, 28], ids=["first", "third"])
def test_other_random_numbers_after_resuming_would_be_seen(calls, tmp_path):
    """Negative control: bits agree because generator, moments and target are all restored."""
    data, config = cloud_data(), replace(CONFIG, folder=str(tmp_path))
    whole = train(cloud_model(), data, CONFIG)
    with pytest.raises(Stop):
        train(interrupted(cloud_model(), calls), data, config)
    path = tmp_path / CHECKPOINT
    tensors, settings = load_tensors(path, "checkpoint")
    changes = {
        "rng": (tensors, settings | {"rng": np.random.default_rng(5).bit_generator.state}),
        "moments": ({k: v * 0 if k.endswith("exp_avg") else v for k, v in tensors.items()}, settings),
    }
    if settings["stage"] == 2:
        moved = {k: v + 0.1 if k.startswith("memory.module.") else v for k, v in tensors.items()}
        changes["target"] = (moved, settings)
    for changed in changes.values():
        save_tensors(path, "checkpoint", *changed)
        assert not same(train(cloud_model(), data, config), whole)
    save_tensors(path, "checkpoint", tensors, settings)
    assert same(train(cloud_model(), data, config), whole)


@pytest.mark.parametrize("changed", [{"encoder_steps": 9}, {"joint_steps": 0}], ids=str)
def test_a_checkpoint_of_other_stages_is_refused(changed, tmp_path):
    data, config = cloud_data(), replace(CONFIG, folder=str(tmp_path))
    with pytest.raises(Stop):
        train(interrupted(cloud_model(), 6), data, config)
    with pytest.raises(CheckpointError, match=r"\(different: config\)"):
        train(cloud_model(), data, replace(config, **changed))


@pytest.mark.parametrize("at", [2, 12, 25], ids=["first", "second", "third"])
def test_what_is_not_finite_stops_any_stage_and_names_it(at, tmp_path):
    names = {2: r"latent encoder\)", 12: r"latent dynamics\)", 25: r"latent encoder and dynamics\)"}
    model = interrupted(cloud_model(), at, lambda loss: loss * float("nan"))
    with pytest.raises(SimulationError, match=rf"training \({names[at]} became non-finite"):
        train(model, cloud_data(), CONFIG)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


# --------------------------------------------------------------------------------------------- which stages


def test_stages_of_no_steps_are_left_out():
    data = cloud_data()
    start = cloud_model()
    untouched = train(cloud_model(), data, replace(CONFIG, encoder_steps=0, joint_steps=0))
    first = {name: tensor for name, tensor in start.state_dict().items() if name.startswith("encoder")}
    assert first
    assert all(torch.equal(untouched.state_dict()[name], tensor) for name, tensor in first.items())
    assert not same(untouched, start)
    trained = train(cloud_model(), data, replace(CONFIG, joint_steps=0))
    assert any(not torch.equal(trained.state_dict()[name], tensor) for name, tensor in first.items())


def test_models_without_an_encoder_do_not_mind(pusht_data):
    config = TrainingConfig(steps=5, batch_size=32)
    other = replace(config, encoder_steps=0, joint_steps=7)
    assert same(train(fresh(), pusht_data, config), train(fresh(), pusht_data, other))


@pytest.mark.parametrize("name", ["encoder_steps", "joint_steps"])
def test_steps_of_the_other_stages_are_counts(name):
    for value in (-1, 2.5, None, "3"):
        with pytest.raises(ArgumentError, match=f"{name}: got .*; expected an integer of at least 0"):
            TrainingConfig(**{name: value})
    assert getattr(TrainingConfig(**{name: 0}), name) == 0


# ------------------------------------------------------------------------------------------------ what fits


def test_another_number_of_points_fits_and_another_world_does_not(pusht_data):
    model, symmetry = cloud_model(), cloud_data().symmetry
    for points in (1, 20, 500):
        other = replace(symmetry, observation={**symmetry.observation, "cloud": Cloud(points)})
        assert model.fits(other)
    assert model.fits(env_symmetry(points=7, shape="bottle"))
    for different in (
        replace(symmetry, action=Point()),
        replace(symmetry, centre=(1.0, 0.0, 0.0)),
        replace(symmetry, state=symmetry.state[::-1]),
        env_symmetry(observe_pose=True),
        pusht_data.symmetry,
    ):
        assert not model.fits(different)
    with pytest.raises(ArgumentError, match=r"data: got .* of the model"):
        train(model, pusht_data, CONFIG)
    posed = WorldModel.for_env(env_of(points=0, observe_pose=True), "state", **PLAIN)
    with pytest.raises(ArgumentError, match=r"data: got .* of the model"):
        train(posed, cloud_data(), CONFIG)


def env_symmetry(**arguments):
    from equiworld.symmetry import symmetry_of

    env = env_of(**arguments)
    assert isinstance(env, gym.Env)
    return symmetry_of(env)
