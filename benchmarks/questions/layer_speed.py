"""How fast are the equivariant blocks, layers and networks of models beside plain ones of the same size?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import grouped
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.style import legend_below, new_figure, plain_decades, style_of
from equiworld.benchmarks.suite.timing import RATIO, TIMES, median_ratio, race, summary, threads
from equiworld.benchmarks.worlds.layers import CONTESTS, PLAIN, Layer, e3nn_version
from equiworld.symmetry.features import Features
from equiworld.symmetry.sampling import random_array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LayerSpeed"]

FORWARD, PREPARED, BACKWARD = "forward", "prepared", "forward + backward"


@dataclass(frozen=True)
class LayerSpeed(Question):
    """All layers of a contest take turns; arms of its rows are the layers. Float32.

    Attributes:
        batches: examples a call.
        threads: of torch; 1 and torch's own choice if empty.
        repeats: rounds in which all layers take turns.
        window: the time that a layer is called for in each round [s].
    """

    batches: tuple[int, ...] = (1, 512)
    threads: tuple[int, ...] = ()
    repeats: int = 100
    window: float = 3e-3

    name = "layer-speed"
    title = "What does exactness cost, layer by layer?"
    timed = True
    closed = True
    worlds = tuple(CONTESTS)
    arms = ("layers",)
    coordinates = ("batch", "pass")
    choosing = ("threads",)
    small: ClassVar[Mapping[str, Any]] = {"threads": (1,), "batches": (1, 32), "repeats": 3, "window": 3e-4}
    measures: ClassVar[Mapping[str, Measure]] = {
        **TIMES,
        "ratio": RATIO,
        "ratio_of_minima": Measure("1", "least time over the plain layer's least", log=True),
        "target": Measure("1", "largest ratio that is aimed at"),
        "within": Measure("", "whether the ratio is no larger than the target"),
        "parameters": Measure("1", "numbers that are learned"),
        "residual_float32": Measure(
            "1", "largest error of equivariance over the channel's root mean square", True
        ),
        "residual_float64": Measure("1", "the same in float64", log=True),
        "load": Measure("1", "processes that ran or waited in the minute before; above .5 times are noisy"),
        "reason": Measure("", "why a layer has no numbers"),
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """One for each number of threads."""
        return [{"threads": count} for count in self.threads or sorted({1, torch.get_num_threads()})]

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """The version of the peer."""
        return {"e3nn": e3nn_version()}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row for each batch, pass and layer; one that says why for a layer that is not installed."""
        layers = CONTESTS[cell.world](cell.seed)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        here = [layer for layer in layers if layer.module is not None]
        known = {layer.name: _properties(layer, cell.seed) | {"load": load} for layer in here}
        absent = [{"arm": layer.name, "reason": "not installed"} for layer in layers if layer not in here]
        with threads(cell.point["threads"]):
            timed = [row for batch in self.batches for row in self._timed(here, batch, cell.seed)]
        return [row | known[row["arm"]] for row in timed] + absent

    def _timed(self, layers: Sequence[Layer], batch: int, seed: int) -> Iterator[Row]:
        for step in (FORWARD, PREPARED, BACKWARD):
            if step == PREPARED and not hasattr(layers[0].module, "prepared"):
                continue
            calls = {layer.name: _call(step, layer, batch, seed) for layer in layers}
            with torch.inference_mode(step != BACKWARD):
                # TorchScript compiles in the first calls.
                times = race(calls, self.repeats, window=self.window, warm_up=5)
            for layer in layers:
                own, plain = times[layer.name], times[PLAIN]
                row = {"arm": layer.name, "batch": batch, "pass": step, **summary(own)}
                row |= median_ratio(own, plain) | {"ratio_of_minima": float(own.min() / plain.min())}
                if step == FORWARD and batch in layer.targets:
                    row |= {"target": layer.targets[batch], "within": row["ratio"] <= layer.targets[batch]}
                yield row

    def figure(self, rows: Sequence[Row]) -> Figure:
        """Ratios and their quartiles with the fewest threads."""
        few = min(row["threads"] for row in rows)
        shown = [row for row in rows if "ratio" in row and row["threads"] == few and row["arm"] != PLAIN]
        places = list(dict.fromkeys((row["batch"], row["pass"]) for row in shown))
        figure, (axes,) = new_figure(1, width=6.4)
        for index, (arm, own) in enumerate(grouped(shown, "arm").items()):
            x = [places.index((row["batch"], row["pass"])) + 0.1 * index for row in own]
            y, low, high = (np.array([row[f"ratio{end}"] for row in own]) for end in ("", "_low", "_high"))
            axes.errorbar(
                x, y, (y - low, high - y), label=arm, capsize=2, **style_of(arm) | {"linestyle": ""}
            )
        axes.axhline(1.0, color="black", linewidth=0.8)
        names = [f"{batch}\n{step}".replace(" + ", " +\n") for batch, step in places]
        axes.set_xticks(range(len(places)), names, fontsize=9)
        axes.set(yscale="log", title=f"{rows[0]['world']}: time over that of the plain one")
        plain_decades(axes.yaxis)
        legend_below(figure)
        return figure


def _call(step: str, layer: Layer, batch: int, seed: int) -> Callable[[int], object]:
    """In inference mode, as planning calls it, or with the gradients of inputs and weights from the same slopes."""
    dim, rng, module = layer.group.dim, np.random.default_rng(seed), cast("Any", layer.module)
    inputs = layer.inputs(random_array(layer.given, rng, (batch,), np.zeros(dim)).astype(np.float32))
    given = tuple(
        each.map(_own) if isinstance(each, Features) else _own(each) for each in layer.arguments(inputs)
    )
    if step == PREPARED and hasattr(module, "prepared"):  # many in a row with the weights as they are now
        module = module.prepared()
    if step != BACKWARD:
        return lambda _: module(*given)
    slopes = torch.randn(batch, layer.found.size(dim), generator=torch.Generator().manual_seed(seed))
    back = _parts(layer.arguments(slopes))
    wanted = [each.requires_grad_() for each in _parts(given)]
    wanted += [weight for weight in module.parameters() if weight.numel()]
    return lambda _: torch.autograd.grad(_parts(module(*given)), wanted, back)


def _parts(found: Any) -> list[Tensor]:
    """The tensors of what goes in or comes out that hold numbers."""
    given = found if isinstance(found, tuple) else (found,)
    pairs = ((each.scalars, each.vectors) if isinstance(each, Features) else (each,) for each in given)
    return [part for pair in pairs for part in pair if part.numel()]


def _own(part: Tensor) -> Tensor:
    """Contiguous memory of its own, as a layer before would have left it."""
    return part.clone(memory_format=torch.contiguous_format)


def _properties(layer: Layer, seed: int) -> Row:
    """What it weighs, and how far it is from commuting with its group."""
    residuals = {f"residual_{dtype}": layer.residual(dtype, seed) for dtype in ("float32", "float64")}
    return {"parameters": sum(map(Tensor.numel, cast("Any", layer.module).parameters())), **residuals}
