"""How fast are the equivariant blocks, layers and networks of models beside plain ones of the same size?"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.layer_report import BACKWARD, FORWARD, PREPARED, draw, report
from equiworld.benchmarks.layers import (
    E3NN,
    ELEMENTS,
    PLAIN,
    Contest,
    Layer,
    blocks,
    e3nn_version,
    joints,
    networks,
)
from equiworld.results import make_result, write_json
from equiworld.symmetry.features import Features, FeatureType
from equiworld.symmetry.sampling import random_array

__all__ = ["LayerSpeedConfig", "report", "run"]

WARM_UP = 5  # calls; TorchScript compiles in the first ones


@dataclass(frozen=True)
class LayerSpeedConfig:
    """Which sizes, and how often they are timed.

    Attributes:
        out: folder for `layer-speed.json` and `layer-speed.png`.
        seed: of weights, inputs and group elements.
        quick: a small version whose times are rough.
        dims: of space.
        channels: scalars and vectors of the blocks of each size, in and out; even numbers.
        batches: examples a call.
        threads: of torch; 1 and torch's own choice if empty.
        repeats: rounds in which all layers take turns.
        window: the time that a layer is called for in each round [s].
    """

    out: Path = Path("runs/layer-speed")
    seed: int = 0
    quick: bool = False
    dims: tuple[int, ...] = (3, 2)
    channels: tuple[tuple[int, int], ...] = ((8, 16), (64, 64))
    batches: tuple[int, ...] = (1, 512)
    threads: tuple[int, ...] = ()
    repeats: int = 100
    window: float = 3e-3

    def reduced(self) -> LayerSpeedConfig:
        """The settings that are run: small if asked for, threads filled in."""
        threads = self.threads or tuple(sorted({1, torch.get_num_threads()}))
        config = replace(self, threads=threads)
        return replace(config, threads=threads[:1], repeats=5, window=1e-3) if self.quick else config


def run(config: LayerSpeedConfig) -> dict[str, Any]:
    """Time every size; write `layer-speed.json` and `layer-speed.png`."""
    began = time.perf_counter()
    config = config.reduced()
    before, load = torch.get_num_threads(), _load()
    rows: list[dict[str, Any]] = []
    try:
        for contest in _contests(config):
            properties = {layer.name: _properties(layer, config.seed) for layer in contest.layers}
            for threads, batch in itertools.product(config.threads, config.batches):
                torch.set_num_threads(threads)
                setting = {"contest": contest.name, "size": contest.size, "threads": threads, "batch": batch}
                for row in _timed(contest, batch, config):
                    rows.append({**setting, **row, **properties[row["layer"]]})
    finally:
        torch.set_num_threads(before)
    fixed = {"dtype": "float32", "elements": ELEMENTS, "machine": _machine(load)}
    result = make_result("layer-speed", asdict(config) | fixed, rows, time.perf_counter() - began)
    write_json(config.out / "layer-speed.json", result)
    draw(result, config.out / "layer-speed.png")
    return result


def _contests(config: LayerSpeedConfig) -> Iterator[Contest]:
    for dim, (scalars, vectors) in itertools.product(config.dims, config.channels):
        yield blocks(FeatureType(dim, scalars, vectors), config.seed)
    yield from joints(config.seed)
    for dim in config.dims:
        yield networks(dim, config.seed)


def _timed(contest: Contest, batch: int, config: LayerSpeedConfig) -> Iterator[dict[str, Any]]:
    """A row for each pass and layer, timed in turn."""
    for name, make in PASSES.items():
        if name == PREPARED and not hasattr(contest.layers[0].module, "prepared"):
            continue
        calls = {
            layer.name: make(layer, *_values(layer, batch, config.seed))
            for layer in contest.layers
            if layer.module is not None
        }
        with torch.inference_mode(name != BACKWARD):
            seconds = seconds_in_turn(calls, config.repeats, config.window)
        for layer in contest.layers:
            row = {"pass": name, "layer": layer.name, "installed": layer.name in seconds}
            if layer.name in seconds:
                # Each round against the plain layer of the same round: what else runs slows down both.
                ratio = seconds[layer.name] / seconds[PLAIN]
                row["median_us"] = 1e6 * float(np.median(seconds[layer.name]))
                row["minimum_us"] = 1e6 * float(seconds[layer.name].min())
                row["ratio"] = float(np.median(ratio))
                row["ratio_quartiles"] = [float(each) for each in np.quantile(ratio, (0.25, 0.75))]
                row["ratio_of_minima"] = float(seconds[layer.name].min() / seconds[PLAIN].min())
                row["repeats"] = config.repeats
                if name == FORWARD and layer.name not in (PLAIN, E3NN):
                    row["target"] = dict(contest.targets).get(batch)
            yield row


def _values(layer: Layer, batch: int, seed: int) -> tuple[tuple[Any, ...], list[Tensor]]:
    """What goes in, and slopes for what comes out."""
    dim, rng = layer.group.dim, np.random.default_rng(seed)
    inputs = layer.inputs(random_array(layer.field, rng, (batch,), np.zeros(dim)).astype(np.float32))
    slopes = torch.randn(batch, layer.target.size(dim), generator=torch.Generator().manual_seed(seed))
    given, back = (layer.arguments(rows) for rows in (inputs, slopes))
    return tuple(each.map(_own) if isinstance(each, Features) else _own(each) for each in given), _parts(back)


def _parts(found: Any) -> list[Tensor]:
    """The tensors of what goes in or comes out that hold numbers."""
    given = found if isinstance(found, tuple) else (found,)
    parts = [
        part
        for each in given
        for part in ((each.scalars, each.vectors) if isinstance(each, Features) else (each,))
    ]
    return [part for part in parts if part.numel()]


def _forward(layer: Layer, given: tuple[Any, ...], _: list[Tensor]) -> Callable[[], object]:
    """A call in inference mode."""
    assert layer.module is not None
    module = layer.module
    return lambda: module(*given)


def _prepared(layer: Layer, given: tuple[Any, ...], _: list[Tensor]) -> Callable[[], object]:
    """A call as planning makes it, many in a row with the weights as they are now."""
    assert layer.module is not None
    prepare = getattr(layer.module, "prepared", None)
    run = layer.module if prepare is None else prepare()
    return lambda: run(*given)


def _both(layer: Layer, given: tuple[Any, ...], slopes: list[Tensor]) -> Callable[[], object]:
    """A call and the gradients of its inputs and weights, from the same slopes of the outputs."""
    assert layer.module is not None
    module = layer.module
    wanted = [each.requires_grad_() for each in _parts(given)]
    wanted += [weight for weight in module.parameters() if weight.numel()]
    return lambda: torch.autograd.grad(_parts(module(*given)), wanted, slopes)


PASSES: dict[str, Callable[[Layer, tuple[Any, ...], list[Tensor]], Callable[[], object]]] = {
    FORWARD: _forward,
    PREPARED: _prepared,
    BACKWARD: _both,
}


def _own(part: Tensor) -> Tensor:
    """Contiguous memory of its own, as a layer before would have left it."""
    return part.clone(memory_format=torch.contiguous_format)


def seconds_in_turn(calls: Mapping[str, Callable[[], object]], repeats: int, window: float) -> dict[str, Any]:
    """Seconds a call, one number a round; each round takes all in turn, beginning with another."""
    counts = {}
    for name, call in calls.items():
        for _ in range(WARM_UP):
            call()
        counts[name] = max(1, round(window / min(_seconds(call, 2) for _ in range(3))))
    seconds = {name: np.empty(repeats) for name in calls}
    names = list(calls)
    for turn in range(repeats):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            seconds[name][turn] = _seconds(calls[name], counts[name])
    return seconds


def _seconds(call: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - began) / count


def _properties(layer: Layer, seed: int) -> dict[str, Any]:
    """What it weighs, and how far it is from commuting with its group."""
    row: dict[str, Any] = {"group": layer.group.name, "equivariant": layer.equivariant}
    if layer.module is None:
        return row
    row["parameters"] = sum(weight.numel() for weight in layer.module.parameters())
    for dtype in ("float32", "float64"):
        row[f"residual_{dtype}"] = layer.residual(dtype, seed)
    return row


def _load() -> float | None:
    """How many processes ran or waited on average in the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _machine(load_before: float | None) -> dict[str, Any]:
    """What times depend on besides the versions."""
    return {
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "load_before": load_before,
        "load_after": _load(),
        "e3nn": e3nn_version(),
    }
