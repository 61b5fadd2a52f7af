"""World models as ONNX files: what is observed to the latent state, and one step of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equiworld.arguments import instance, integer, number
from equiworld.errors import ArgumentError
from equiworld.export.bundle import Exported, checked_bundle, names_of_files
from equiworld.export.graph import graph_of
from equiworld.export.self_test import SelfTest
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.observing import Apart
from equiworld.symmetry.sampling import random_array, random_observation
from equiworld.symmetry.serialise import symmetry_to_dict
from equiworld.symmetry.tensors import features_of_tensors, tensors_of_features

__all__ = ["world_model"]

_STREAM = 0x776F726C
Arrays = dict[str, NDArray[np.float64]]


def world_model(
    model: WorldModel,
    folder: str | os.PathLike[str],
    *,
    elements: int = 8,
    rows: int = 16,
    seed: int = 0,
    tolerance: float = 1e-5,
    orbit_tolerance: float = 1e-5,
) -> tuple[Exported, Exported]:
    """Write `encode.onnx` and `predict.onnx`, each with a self-test and a certificate beside it.

    Arrays come and go by field, float64 `(B, size)` for any B: `encode` takes the observed fields of the state, and
    gives those of the latent as "latent.…"; `predict` takes those of the latent and "action", and gives the next ones
    as "next.…": a rollout on another runtime hands it its own outputs. Where the latent is the observed state, both are
    in the environment's units.

    Args:
        model: in the dtype that its networks are to have.
        folder: that is written to.
        elements: group elements of the self-tests, besides the identity.
        rows: inputs of the self-tests, which are random ones.
        seed: of both.
        tolerance: largest |file − model|, in units of the largest number of an output or 1.
        orbit_tolerance: largest |file(g·x) − ρ(g)·file(x)| of a model that is equivariant, likewise.

    Raises:
        ArgumentError: the model cannot be exported, onnxruntime cannot run it, a field of its state is called
            "action", or the extra `onnx` is not installed; nothing was written.
        SelfTestFailed: a graph does not do what the model does; nothing was written.

    >>> import tempfile, equiworld as ew
    >>> model = WorldModel.for_env("equiworld/PushT-v0", hidden=(8,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     encode, predict = ew.export.world_model(model, folder, elements=2, rows=4)
    ...     predict.deviation < 1e-5, predict.orbit_deviation < 1e-5
    (True, True)
    """
    instance("model", model, WorldModel)
    if "action" in {*model.symmetry.state, *model.latent.state}:
        called = 'another name: of what `predict` takes, "action" is the action'
        raise ArgumentError("model", "one whose state has a field 'action'", called)
    elements, rows = (
        integer(name, value, least=1) for name, value in (("elements", elements), ("rows", rows))
    )
    seed, tolerance = integer("seed", seed, least=0), number("tolerance", tolerance, least=0.0)
    tolerances = (tolerance, number("orbit_tolerance", orbit_tolerance, least=0.0))
    if not isinstance(folder, str | os.PathLike):
        raise ArgumentError("folder", folder, "the path of a folder")
    files = [names_of_files(Path(folder) / f"{name}.onnx") for name in ("encode", "predict")]
    rng = np.random.default_rng([seed, _STREAM])
    seen = model.symmetry
    observed = _state(seen, random_observation(seen, rng, max(rows, 3)))
    drawn = seen.group.sample(rng, elements, scale=seen.length_scale)
    encoding, predicting = _Encode(model), _Predict(model)
    encoded = _moved(seen, drawn, observed)
    latent = _outputs(encoding, observed)
    radius = next((one.radius for one in model.action_bound if one.radius is not None), 1.0)
    action = random_array(
        seen.action, rng, (len(next(iter(latent.values()))),), np.asarray(seen.centre), radius
    )
    stepped = _moved(model.latent, drawn, {**latent, "action": action})
    found = []
    for kind, module, inputs, names in zip(
        ("encode", "predict"), (encoding, predicting), (encoded, stepped), files, strict=True
    ):
        expected = _expected(model, kind, inputs)
        claimed = model.equivariant
        moved = {name: name.partition(".")[2] for name in expected} if claimed else {}
        over = (drawn, model.latent) if claimed else (None, None)
        test = SelfTest(inputs, expected, over[0], over[1], moved, *tolerances)
        examples = {name: torch.from_numpy(array[:3]) for name, array in inputs.items()}
        graph = graph_of(module, examples, tuple(expected), "model")
        details = {
            "symmetry": symmetry_to_dict(model.latent),
            "notes": [] if model.equivariant else [f"{model.family}: not equivariant"],
            "world": {"env": model.env_id, "family": model.family, "action_repeat": model.action_repeat},
        }
        found.append(checked_bundle(kind, graph, test, names, **details))
    encode, predict = found  # both work before either is written
    return encode.write(), predict.write()


class _Encode(nn.Module):
    """Observed arrays of the state → arrays of the latent."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.encoder, self.seen, self.latent = model.encoder, model.symmetry, model.latent
        self.dtype = model.encoder.seen_in(model.dtype)
        self.names = tuple(model.symmetry.state)

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        return _arrays_of(self.latent, self.encoder(_features(self.seen, self.names, arrays).to(self.dtype)))


class _Predict(nn.Module):
    """Arrays of the latent, and the action → arrays of the next latent."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.dynamics, self.latent, self.dtype = model.dynamics, model.latent, model.dtype
        self.names = tuple(model.latent.state)

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        z = _features(self.latent, self.names, arrays[:-1]).to(self.dtype)
        return _arrays_of(self.latent, self.dynamics.stepper()(z, arrays[-1].to(self.dtype)))


def _features(symmetry: Symmetry, names: Sequence[str], arrays: Sequence[Tensor]) -> Features:
    return features_of_tensors(symmetry, Apart(zip(names, arrays, strict=True)), names)


def _arrays_of(latent: Symmetry, features: Features) -> tuple[Tensor, ...]:
    return tuple(tensors_of_features(latent, features.to(torch.float64)).values())


def _state(symmetry: Symmetry, observation: object) -> Arrays:
    return {
        name: np.asarray(array, np.float64)
        for name, array in symmetry.observed(observation).items()
        if name in symmetry.state
    }


def _moved(symmetry: Symmetry, elements: GroupElement, arrays: Mapping[str, NDArray[np.float64]]) -> Arrays:
    """Arrays by field as they are, and then as each of the elements makes them, row behind row."""
    found = {}
    for name, array in arrays.items():
        field = symmetry.action if name == "action" else symmetry.observation[name]
        parts = [field.transform(symmetry.own(g), array, symmetry.centre, name) for g in elements]
        found[name] = np.concatenate([array, *parts])
    return found


def _outputs(module: _Encode, inputs: Mapping[str, NDArray[np.float64]]) -> Arrays:
    with torch.no_grad():
        found = module(*(torch.from_numpy(array) for array in inputs.values()))
    return {name: each.numpy() for name, each in zip(module.latent.state, found, strict=True)}


def _expected(model: WorldModel, kind: str, inputs: Mapping[str, NDArray[np.float64]]) -> Arrays:
    """What the model itself gives, by the way that its users take."""
    with torch.no_grad():
        if kind == "encode":
            z = model.encode(_whole(model, inputs))
        else:
            state = {name: array for name, array in inputs.items() if name != "action"}
            before = model.latent.to_features(Apart(state), dtype=model.dtype).to(device=model.device)
            z = model.predict(before, torch.from_numpy(inputs["action"]).to(before.vectors))
    arrays = model.latent.observation_arrays(z.to(torch.float64, "cpu"))
    prefix = "latent" if kind == "encode" else "next"
    return {f"{prefix}.{name}": np.asarray(array) for name, array in arrays.items()}


def _whole(model: WorldModel, inputs: Mapping[str, NDArray[np.float64]]) -> object:
    """Observed fields of the state as `encode` takes them."""
    return Apart(inputs)
