"""How fast is an equivariant layer of scalars and vectors beside a plain one of the same size?"""

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

from equiworld.benchmarks.layer_report import FORWARD, TARGETS, draw, report
from equiworld.benchmarks.layers import ELEMENTS, PLAIN, Layer, e3nn_version, layers_of
from equiworld.results import make_result, write_json
from equiworld.symmetry.features import Features, FeatureType

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
        channels: scalars and vectors of each size, in and out.
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
        for dim, (scalars, vectors) in itertools.product(config.dims, config.channels):
            kind = FeatureType(dim, scalars, vectors)
            layers = layers_of(kind, config.seed)
            properties = {layer.name: _properties(layer, kind, config.seed) for layer in layers}
            for threads, batch in itertools.product(config.threads, config.batches):
                torch.set_num_threads(threads)
                setting = {"dim": dim, "scalars": scalars, "vectors": vectors, "batch": batch}
                for row in _timed(layers, kind, batch, config):
                    rows.append({**setting, "threads": threads, **row, **properties[row["layer"]]})
    finally:
        torch.set_num_threads(before)
    fixed = {"dtype": "float32", "elements": ELEMENTS, "targets": TARGETS, "machine": _machine(load)}
    result = make_result("layer-speed", asdict(config) | fixed, rows, time.perf_counter() - began)
    write_json(config.out / "layer-speed.json", result)
    draw(result, config.out / "layer-speed.png")
    return result


def _timed(
    layers: list[Layer], kind: FeatureType, batch: int, config: LayerSpeedConfig
) -> Iterator[dict[str, Any]]:
    """A row for each pass and layer, timed in turn."""
    generator = torch.Generator().manual_seed(config.seed)
    inputs, slopes = (torch.randn(batch, kind.size, generator=generator) for _ in range(2))
    for name, make in ((FORWARD, _forward), (f"{FORWARD} + backward", _both)):
        calls = {
            layer.name: make(layer, kind, inputs, slopes) for layer in layers if layer.module is not None
        }
        with torch.inference_mode(name == FORWARD):
            seconds = seconds_in_turn(calls, config.repeats, config.window)
        for layer in layers:
            row = {"pass": name, "layer": layer.name, "installed": layer.name in seconds}
            if layer.name in seconds:
                # Each round against the plain layer of the same round: what else runs slows down both.
                ratio = seconds[layer.name] / seconds[PLAIN]
                row["median_us"] = 1e6 * float(np.median(seconds[layer.name]))
                row["minimum_us"] = 1e6 * float(seconds[layer.name].min())
                row["ratio"] = float(np.median(ratio))
                row["ratio_of_minima"] = float(seconds[layer.name].min() / seconds[PLAIN].min())
                row["repeats"] = config.repeats
            yield row


def _forward(layer: Layer, kind: FeatureType, inputs: Tensor, _: Tensor) -> Callable[[], object]:
    """A call in inference mode, as planning makes it."""
    assert layer.module is not None
    module, value = layer.module, inputs if layer.flat else Features.unflatten(inputs, kind).map(_own)
    return lambda: module(value)


def _both(layer: Layer, kind: FeatureType, inputs: Tensor, slopes: Tensor) -> Callable[[], object]:
    """A call and the gradients of its inputs and weights, from the same slopes of the outputs."""
    assert layer.module is not None
    module = layer.module
    weights = [weight for weight in module.parameters() if weight.numel()]
    if layer.flat:
        row = inputs.clone().requires_grad_()
        return lambda: torch.autograd.grad(module(row), (row, *weights), slopes)
    value = Features.unflatten(inputs, kind).map(lambda part: _own(part).requires_grad_())
    slope = Features.unflatten(slopes, kind).map(_own)

    def call() -> object:
        out = module(value)
        wanted = (value.scalars, value.vectors, *weights)
        return torch.autograd.grad((out.scalars, out.vectors), wanted, (slope.scalars, slope.vectors))

    return call


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


def _properties(layer: Layer, kind: FeatureType, seed: int) -> dict[str, Any]:
    """What it weighs, and how far it is from commuting with its group."""
    row: dict[str, Any] = {"group": layer.group.name, "equivariant": layer.equivariant}
    if layer.module is None:
        return row
    row["parameters"] = sum(weight.numel() for weight in layer.module.parameters())
    for dtype in ("float32", "float64"):
        row[f"residual_{dtype}"] = layer.residual(kind, dtype, seed)
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
