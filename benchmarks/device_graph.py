"""The rollouts of one iteration: as they are, captured as a CUDA graph, and compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.device_world import SYMMETRY, TASK, fresh_model, observations
from equiworld.planners import CEM
from equiworld.planners.captured import capture
from equiworld.symmetry import Features

__all__ = ["graph_rows", "timed"]

_MOST_ROWS = 2**18  # that are rolled out at a time on an accelerator


def graph_rows(
    seed: int, device: str, envs: Sequence[int], repeats: int, seconds: float, compiled: bool
) -> list[dict[str, Any]]:
    """Milliseconds of rolling out and costing the candidates of one iteration of CEM, each way that there is here."""
    cuda, rows = torch.device(device).type == "cuda", list[dict[str, Any]]()
    for count in envs:
        candidates = min(count * CEM().samples, _MOST_ROWS)
        if not cuda and candidates > 64 * CEM().samples:
            continue  # on the CPU they go in chunks: no call is that large
        actions = 30.0 * torch.randn(
            CEM().horizon, candidates, 2, generator=torch.Generator().manual_seed(seed)
        )
        rollout, given = _rollout(seed, device, candidates), actions.to(device)
        with torch.no_grad():
            expected = rollout(given)
            ways: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {"as it is": lambda: rollout}  # noqa: B023
            if cuda:
                ways["CUDA graph"] = lambda: _replayed(rollout, given)  # noqa: B023
            if compiled and count == envs[min(1, len(envs) - 1)]:
                ways["torch.compile"] = lambda: torch.compile(rollout)  # noqa: B023
            rows += [
                {
                    "part": "rollout",
                    "how": how,
                    "envs": count,
                    "dtype": "float32",
                    **_tried(way, given, expected, device, repeats, seconds),
                }
                for how, way in ways.items()
            ]
    return rows


def _rollout(seed: int, device: str, count: int) -> Callable[[Tensor], Tensor]:
    """Costs `(count,)` of actions `(H, count, 2)`, from one state."""
    model = fresh_model(seed).to(device).eval()
    seen = observations(1, seed)
    z = model.encode(seen).to(device=device).map(lambda part: part.repeat(count, *[1] * (part.ndim - 1)))
    goal = model.encode_goal(seen).to(device=device)
    step, cost = model.stepper(), TASK.objective().bind(SYMMETRY)

    def rollout(actions: Tensor) -> Tensor:
        state, states = z, []
        for action in actions.unbind():
            state = step(state, action)
            states.append(state)
        return cost(Features.stack(states), actions, goal[None]).mean(0)

    return rollout


def _replayed(call: Callable[[Tensor], Tensor], given: Tensor) -> Callable[[Tensor], Tensor]:
    """The same as one launch, for inputs of this shape."""
    graph = capture(call, [given])
    if graph is None:
        raise RuntimeError("it cannot be captured")

    def replay(actions: Tensor) -> Tensor:
        graph.inputs[0].copy_(actions)
        graph.replay()
        return graph.output

    return replay


def _tried(
    way: Callable[[], Callable[[Tensor], Tensor]],
    given: Tensor,
    expected: Tensor,
    device: str,
    repeats: int,
    seconds: float,
) -> dict[str, Any]:
    """Its time and its deviation from the expected costs; or the reason why it fails here."""
    try:
        call = way()
        apart = float((call(given) - expected).abs().max())
        return timed(lambda: call(given), device, repeats, seconds) | {"largest_deviation": apart}
    except Exception as error:  # whatever a compiler or a driver says is what there is to report
        return {"reason": f"{type(error).__name__}: {str(error).strip()[:200]}"}


def timed(call: Callable[[], object], device: str, repeats: int, seconds: float) -> dict[str, Any]:
    """Median and least milliseconds of a call that was made once before.

    Args:
        call: what is timed.
        device: where it computes; what it has been asked for is waited for.
        repeats: calls at most.
        seconds: after which there is no further call; one is made at least.
    """

    def settle() -> None:
        kind = torch.device(device).type
        if kind == "cuda":
            torch.cuda.synchronize(device)
        elif kind in ("mps", "xpu"):
            getattr(torch, kind).synchronize()

    call()
    times, began = list[float](), time.perf_counter()
    while len(times) < repeats and (not times or time.perf_counter() - began < seconds):
        settle()
        start = time.perf_counter()
        call()
        settle()
        times.append(1e3 * (time.perf_counter() - start))
    return {"median_ms": float(np.median(times)), "minimum_ms": min(times), "n": len(times)}
