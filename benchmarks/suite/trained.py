"""Data and trained models of a world, made once for all questions that share a store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from equiworld.benchmarks.suite.arm import Arm, Part
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.store import Store
from equiworld.errors import ArgumentError
from equiworld.files import write_atomically
from equiworld.groups import Group
from equiworld.models import WorldModel, averaged
from equiworld.models.families import recipe_of
from equiworld.training import Dataset, TrainingConfig, check_disjoint, train

__all__ = [
    "Split",
    "TrainingWorld",
    "chosen",
    "data_of",
    "disjoint",
    "settings_of",
    "trained_inputs",
    "trained_model",
]

Split = Literal["train", "validation", "test"]

_SPLITS: dict[tuple[str, str], int] = {
    ("slice", "train"): 0,
    ("all", "train"): 1,
    ("slice", "test"): 2,
    ("all", "test"): 3,
    ("slice", "validation"): 4,
    ("all", "validation"): 5,
}
CHOOSING = 1_000_003
"""The training seed that settings are chosen with; no reported model has it."""


class TrainingWorld(Protocol):
    """What training asks of a world."""

    @property
    def name(self) -> str:
        """In cells."""

    @property
    def kind(self) -> str:
        """Of what is observed."""

    @property
    def kept(self) -> Group | None:
        """The subgroup that is left where something breaks the rest; None for the whole."""

    def described(self) -> Mapping[str, Any]:
        """What it is defined to be, JSON-able."""

    def modules(self) -> tuple[str, ...]:
        """Modules whose sources it depends on."""

    def check(self, scale: Scale) -> None:
        """Refuse a scale at which it has no tasks."""

    def collect(
        self, part: Part, split: Split, count: int, seed: int, half_width: float, folder: Path
    ) -> Dataset:
        """Transitions of a part of the orientations."""

    def network(self, family: str, width: int | None) -> Mapping[str, Any]:
        """Settings of a model of this width."""

    def validation_error(self, model: WorldModel, data: Dataset) -> float:
        """What settings are chosen by; infinite where nothing speaks for a model."""


def trained_inputs(world: TrainingWorld, arm: Arm, scale: Scale) -> dict[str, Any]:
    """What a trained model depends on, for the inputs of rows; with them belong the modules of the world.

    Raises:
        ArgumentError: the arm has no family for the world, or one that it cannot have of its width or average; or the
            world has no tasks at this scale.
    """
    world.check(scale)
    settings_of(world, arm, 0, scale)
    if arm.averaged is not None and world.kind != "state":
        raise ArgumentError(
            "--world", f"a world of {world.kind}s", "one of states for an arm that is averaged"
        )
    return {**_world(world), "arm": arm, "family": arm.family(world.kind), "scale": scale}


def data_of(store: Store, world: TrainingWorld, part: Part, split: Split, scale: Scale) -> Dataset:
    """Transitions of a part of the orientations, collected now if they are not in the store."""
    seed = 10 * scale.collection + _SPLITS[part, split]
    count = scale.transitions if split == "train" else scale.held_out
    inputs = {**_world(world), "part": part, "split": split, "count": count, "seed": seed}

    def make(folder: Path) -> None:
        data = world.collect(part, split, count, seed, scale.half_width, folder / "chunks")
        data.save(folder / "data.safetensors")
        shutil.rmtree(folder / "chunks", ignore_errors=True)

    inputs["half_width"] = scale.half_width if part == "slice" else None
    folder = store.artefact("data", f"{world.name}-{part}-{split}", inputs, world.modules(), make)
    return Dataset.load(folder / "data.safetensors")


def disjoint(store: Store, world: TrainingWorld, part: Part, scale: Scale) -> dict[str, Any]:
    """Proof that training, validation and test data share nothing.

    Raises:
        OverlapError: they do.
    """

    def make(folder: Path) -> None:
        parts = {
            split: data_of(store, world, part, split, scale) for split in ("train", "validation", "test")
        }
        text = json.dumps(check_disjoint(**parts))
        write_atomically(folder / "overlap.json", lambda file: file.write(text.encode()))

    inputs = {**_world(world), "part": part, "scale": scale.data()}
    folder = store.artefact("data", f"{world.name}-{part}-overlap", inputs, world.modules(), make)
    return json.loads((folder / "overlap.json").read_text())


def trained_model(store: Store, world: TrainingWorld, arm: Arm, seed: int, scale: Scale) -> WorldModel:
    """The model of an arm, trained now if it is not in the store, with the settings that validation data chose."""
    model = _trained(store, world, arm, seed, chosen(store, world, arm, scale))
    return model if arm.averaged is None else averaged(model, arm.averaged)


def chosen(store: Store, world: TrainingWorld, arm: Arm, scale: Scale) -> Scale:
    """The scale with one entry of each kind: that of the least one-step error on validation data.

    They are tried with a training seed, and where seeds have parts of their own on a part, that no reported model has.
    """
    has_sines = hasattr(recipe_of(arm.family(world.kind)).network, "periodic")
    grid = [
        replace(scale, steps=(steps,), weight_decays=(decay,), learning_rates=(rate,), periodic=sines)
        for steps, decay, rate, sines in product(
            scale.steps,
            scale.weight_decays,
            scale.learning_rates,
            [(share,) for share in scale.periodic] if has_sines and scale.periodic else [()],
        )
    ]
    if len(grid) == 1:
        return grid[0]

    def make(folder: Path) -> None:
        validation = data_of(store, world, arm.part, "validation", scale)
        errors = [
            world.validation_error(_trained(store, world, arm, CHOOSING, each), validation) for each in grid
        ]
        text = json.dumps({"chosen": int(np.argmin(errors)), "grid": [asdict(each) for each in grid]})
        write_atomically(folder / "choice.json", lambda file: file.write(text.encode()))

    inputs = {**_world(world), "arm": arm.training, "scale": scale}
    modules = (*world.modules(), __name__)
    folder = store.artefact("choices", f"{world.name}-{arm.family(world.kind)}", inputs, modules, make)
    return grid[json.loads((folder / "choice.json").read_text())["chosen"]]


def _trained(store: Store, world: TrainingWorld, arm: Arm, seed: int, scale: Scale) -> WorldModel:
    family, settings = arm.family(world.kind), settings_of(world, arm, seed, scale)
    stages = (scale.steps[0], scale.encoder_steps, scale.joint_steps)
    steps, encoder_steps, joint_steps = (round(arm.compute * each) for each in stages)
    training = TrainingConfig(
        steps=max(steps, 1),
        batch_size=scale.batch_size,
        learning_rate=scale.learning_rates[0],
        weight_decay=scale.weight_decays[0],
        encoder_steps=encoder_steps,
        joint_steps=joint_steps,
        seed=seed,
        device=scale.device,
    )
    inputs = {
        **_world(world),
        "family": family,
        "part": arm.part,
        "proper": arm.proper,
        "settings": settings,
        "training": training.identity(),
        "steps": steps,
        "data": scale.data(),
        "size": scale.size,
        "device": scale.device,
        **({"kept": repr(world.kept)} if arm.kept else {}),
    }

    def make(folder: Path) -> None:
        data = data_of(store, world, arm.part, "train", scale)
        if scale.size is not None:
            data = _own_part(data, scale.size, seed)
        env, symmetry = data.make_env(), data.symmetry
        if arm.proper:
            symmetry = replace(symmetry, group=symmetry.group.rotations())
        if arm.kept and world.kept is not None:
            symmetry = symmetry.restricted(world.kept)
        try:
            model = WorldModel.for_env(env, family, symmetry=symmetry, transitions=len(data), **settings)
        finally:
            env.close()
        model.action_repeat = data.action_repeat  # of what is not trained too
        if steps:
            train(model, data, replace(training, folder=str(folder)))
        model.save(folder)

    name = f"{world.name}-{arm.part}-{family}-{seed}"
    modules = (*world.modules(), __name__)
    return WorldModel.load(store.artefact("models", name, inputs, modules, make))


def settings_of(world: TrainingWorld, arm: Arm, seed: int, scale: Scale) -> dict[str, Any]:
    """Of the model of an arm."""
    family = arm.family(world.kind)
    settings = {"seed": seed, **world.network(family, scale.width), **arm.settings}
    own = recipe_of(family).network
    if scale.periodic and hasattr(own, "periodic"):
        hidden = settings.get("hidden") or own.hidden  # type: ignore[attr-defined]
        settings["periodic"] = round(scale.periodic[0] * hidden[0])
    if arm.grow != 1:
        if not hasattr(own, "periodic"):
            raise ArgumentError("grow", arm.grow, f"1 for family {family!r}, whose network is no perceptron")
        sizes = {name: settings.get(name, getattr(own, name)) for name in ("hidden", "periodic")}
        settings["hidden"] = [round(arm.grow * size) for size in sizes["hidden"]]
        settings["periodic"] = round(arm.grow * sizes["periodic"])
    return settings


def _own_part(data: Dataset, size: int, seed: int) -> Dataset:
    """The transitions of one seed; the seed that chooses settings takes the last."""
    start = len(data) - size if seed == CHOOSING else seed * size
    last = len(data) - (0 if seed == CHOOSING else size)
    if start < 0 or start + size > last:
        expected = f"(seed + 2) · size of at most the {len(data)} transitions collected"
        raise ArgumentError("--transitions", f"{size} for seed {seed}", expected)
    return data.select(slice(start, start + size))


def _world(world: TrainingWorld) -> dict[str, Any]:
    return {"world": world.name, "defined": dict(world.described())}
