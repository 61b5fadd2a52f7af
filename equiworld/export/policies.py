"""Policies as ONNX files, their door included, each with a self-test and a certificate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.arguments import integer, number, reals
from equiworld.errors import ArgumentError
from equiworld.export.bundle import Exported, checked_bundle, names_of_files
from equiworld.export.deployed import DeployedPolicy
from equiworld.export.graph import graph_of
from equiworld.export.self_test import SelfTest
from equiworld.groups import GroupElement
from equiworld.sb3 import Symmetrised
from equiworld.sb3.functions import as_policy
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.sampling import random_observation
from equiworld.symmetry.serialise import symmetry_to_dict

__all__ = ["policy"]

_STREAM = 0x6F6E6E78


def policy(
    policy: Any,
    path: str | os.PathLike[str],
    *,
    symmetry: Symmetry | Any = None,
    observations: Any = None,
    elements: int = 8,
    rows: int = 16,
    seed: int = 0,
    tolerance: float = 1e-5,
    orbit_tolerance: float = 1e-5,
    certificate: Any = None,
) -> Exported:
    """Write a policy as an ONNX file, with a self-test and a certificate beside it.

    The graph holds all that `predict` does for deterministic decisions: the door in float64, the network in its own
    dtype, the action's way back and its limits. It takes the observation's arrays by key ("observation" for a flat
    one), float64 `(B, size)` for any B, and gives "action"; of a symmetrised policy also "degenerate" and
    "seam_margin".

    Args:
        policy: a torch module, an algorithm or policy of stable-baselines3, or one of them behind `symmetrise`.
        path: of the file, `….onnx`; `….selftest.safetensors` and `….certificate.json` are written beside it.
        symmetry: of what is tested over the orbit: a Symmetry, an environment or its id; that of the policy if None.
        observations: to be tested with, stacked; random ones of the symmetry if None.
        elements: how many each is tested at, besides the identity.
        rows: how many observations.
        seed: of elements and of random observations.
        tolerance: largest |file − original|, in units of the largest action or 1.
        orbit_tolerance: largest |file(g·o) − ρ(g)·file(o)| that counts as exact, likewise. A policy that is not
            so itself is exported all the same, and its certificate claims nothing of the orbit.
        certificate: what `certify` found of the closed loop, to be kept with the file.

    Returns:
        Paths, and what was measured.

    Raises:
        ArgumentError: no graph of the policy is known or onnxruntime cannot run it, an observed key is called like an
            output, an argument is wrong, or the extra `onnx` is not installed; nothing was written.
        SelfTestFailed: the graph does not do what the policy does; nothing was written.

    >>> import tempfile, equiworld as ew
    >>> from equiworld.symmetry import Symmetry, Vector
    >>> symmetry = Symmetry(ew.SO2(), {"way": Vector()}, action=Vector(), flat=True)
    >>> exact = ew.symmetrise(torch.nn.Linear(2, 2), symmetry)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     exported = ew.export.policy(exact, f"{folder}/policy.onnx")
    ...     exported.orbit_deviation < 1e-12, ew.export.check(exported.certificate).passed
    (True, True)
    """
    files = names_of_files(path)
    elements, rows = (
        integer(name, value, least=1) for name, value in (("elements", elements), ("rows", rows))
    )
    seed, tolerance = integer("seed", seed, least=0), number("tolerance", tolerance, least=0.0)
    orbit_tolerance = number("orbit_tolerance", orbit_tolerance, least=0.0)
    if certificate is not None and not hasattr(certificate, "to_result"):
        raise ArgumentError("certificate", certificate, "what certify found, or None")
    decides = as_policy(policy)
    known = _symmetry(decides, symmetry)
    rng = np.random.default_rng([seed, _STREAM])
    seen = _observations(known, observations, rng, rows)
    drawn = None if known is None else known.group.sample(rng, elements, scale=known.length_scale)
    whole = seen if known is None or drawn is None else moved_by(known, drawn, seen)
    inputs = _arrays(whole)
    test, apart = _self_test(decides, whole, inputs, known, drawn, (tolerance, orbit_tolerance))
    module = DeployedPolicy(decides, list(inputs), seen)
    examples = {name: torch.from_numpy(array[:3]) for name, array in inputs.items()}
    graph = graph_of(module, examples, module.outputs)
    details = {
        "symmetry": None if known is None else symmetry_to_dict(known),
        "original_orbit_deviation": apart,
        "notes": list(getattr(decides, "inexact", ())),
        "closed_loop": None if certificate is None else certificate.to_result(),
    }
    return checked_bundle("policy", graph, test, files, **details).write()


def _symmetry(policy: Any, given: Any) -> Symmetry | None:
    """What the orbit is of."""
    if given is not None:
        return symmetry_of(given)
    known = getattr(policy, "symmetry", None) or getattr(getattr(policy, "policy", None), "symmetry", None)
    return known if isinstance(known, Symmetry) else None


def _observations(symmetry: Symmetry | None, given: Any, rng: np.random.Generator, rows: int) -> Any:
    """A batch to be tested with, float64, of three rows or more."""
    if given is None and symmetry is None:
        expected = "a batch of observations, or the symmetry that random ones are of"
        raise ArgumentError("observations", None, expected)
    if given is None:
        assert symmetry is not None
        return random_observation(symmetry, rng, max(rows, 3))
    parts = _arrays(given)
    count = min((len(array) if array.ndim == 2 else 0 for array in parts.values()), default=0)
    if count < 3:
        got = {name: array.shape for name, array in parts.items()}
        raise ArgumentError("observations", got, "arrays (B, size) of three rows or more")
    chosen = np.linspace(0, count - 1, min(rows, count)).astype(int)
    return (
        {name: array[chosen] for name, array in parts.items()}
        if isinstance(given, Mapping)
        else parts["observation"][chosen]
    )


def _arrays(observation: Any) -> dict[str, NDArray[np.float64]]:
    """By key, float64."""
    parts = observation if isinstance(observation, Mapping) else {"observation": observation}
    return {str(name): reals("observations", array) for name, array in parts.items()}


def moved_by(symmetry: Symmetry, elements: GroupElement, observation: Any) -> Any:
    """A batch as it is, and then as each of the elements makes it, row behind row."""
    parts = [observation, *(symmetry.transform_observation(g, observation) for g in elements)]
    if isinstance(observation, Mapping):
        return {name: np.concatenate([part[name] for part in parts]) for name in observation}
    return np.concatenate(parts)


def _self_test(
    policy: Any,
    whole: Any,
    inputs: dict[str, NDArray[np.float64]],
    symmetry: Symmetry | None,
    elements: GroupElement | None,
    tolerances: tuple[float, float],
) -> tuple[SelfTest, float | None]:
    """What the policy itself does, and how far it is from its orbit, which is claimed where it is exact."""
    action, state = policy.predict(whole, deterministic=True)
    expected = {"action": np.asarray(action)}
    if isinstance(policy, Symmetrised):
        expected |= {"degenerate": state.degenerate, "seam_margin": state.seam_margin}
    test = SelfTest(
        inputs, expected, elements, symmetry, {"action": "action"} if symmetry else {}, *tolerances
    )
    apart = test.orbit_deviation(expected)
    if apart is not None and apart > test.orbit_tolerance:
        return replace(test, elements=None), apart
    return test, apart
