"""How fast are the equivariant blocks, layers and networks of models beside plain ones of the same size?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.timing import RATIO, TIMES, median_ratio, race, summary, threads
from equiworld.benchmarks.worlds.layers import CONTESTS, E3NN, PLAIN, Contest, Layer, e3nn_version
from equiworld.symmetry.features import Features
from equiworld.symmetry.sampling import random_array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LayerSpeed"]

FORWARD, PREPARED, BACKWARD = "forward", "prepared", "forward + backward"
Call = Callable[[int], object]


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
    worlds = tuple(CONTESTS)
    arms = ("layers",)
    coordinates = ("batch", "pass")
    choosing = ("threads",)
    small = {"threads": (1,), "repeats": 3, "window": 3e-4}
    measures = {
        **TIMES,
        "ratio": RATIO,
        "ratio_of_minima": Measure("1", "least time over the plain layer's least", log=True),
        "target": Measure("1", "largest ratio that is aimed at"),
        "within": Measure("", "whether the ratio is no larger than the target"),
        "parameters": Measure("1", "numbers that are learned"),
        "residual_float32": Measure("1", "largest error of equivariance over the channel's root mean square", True),
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
        contest = CONTESTS[cell.world](cell.seed)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        here = [layer for layer in contest.layers if layer.module is not None]
        known = {layer.name: _properties(layer, cell.seed) | {"load": load} for layer in here}
        absent = [
            {"arm": layer.name, "reason": "not installed"} for layer in contest.layers if layer not in here
        ]
        with threads(cell.point["threads"]):
            timed = [row for batch in self.batches for row in self._timed(contest, here, batch, cell.seed)]
        return [row | known[row["arm"]] for row in timed] + absent

    def _timed(self, contest: Contest, layers: Sequence[Layer], batch: int, seed: int) -> Iterator[Row]:
        for name, make in PASSES.items():
            if name == PREPARED and not hasattr(layers[0].module, "prepared"):
                continue
            calls = {layer.name: make(layer, *_values(layer, batch, seed)) for layer in layers}
            with torch.inference_mode(name != BACKWARD):
                # TorchScript compiles in the first calls.
                times = race(calls, self.repeats, window=self.window, warm_up=5)
            for arm, each in times.items():
                row = {"arm": arm, "batch": batch, "pass": name, **summary(each)}
                row |= median_ratio(each, times[PLAIN])
                row["ratio_of_minima"] = float(each.min() / times[PLAIN].min())
                target = contest.targets.get(batch)
                if name == FORWARD and arm not in (PLAIN, E3NN) and target is not None:
                    row |= {"target": target, "within": row["ratio"] <= target}
                yield row

    def figure(self, rows: Sequence[Row]) -> Figure:
        """Ratios and their quartiles with the fewest threads, one panel a contest."""
        from equiworld.benchmarks.suite.style import new_figure, style_of

        rows = [row for row in rows if "ratio" in row]
        rows = [row for row in rows if row["threads"] == min(each["threads"] for each in rows)]
        worlds = list(dict.fromkeys(row["world"] for row in rows))
        columns = min(len(worlds), 3)
        figure, panels = new_figure(columns, -(-len(worlds) // columns), width=4.6, height=3.4)
        for axes, world in zip(panels, worlds, strict=False):
            part = [row for row in rows if row["world"] == world]
            places = list(dict.fromkeys((row["batch"], row["pass"]) for row in part))
            arms = list(dict.fromkeys(row["arm"] for row in part if row["arm"] != PLAIN))
            for index, arm in enumerate(arms):
                own = [row for row in part if row["arm"] == arm]
                x = [places.index((row["batch"], row["pass"])) + 0.12 * (index - len(arms) / 2) for row in own]
                y, low, high = (np.array([row[f"ratio{end}"] for row in own]) for end in ("", "_low", "_high"))
                style = style_of(arm) | {"linestyle": "none"}
                axes.errorbar(x, y, (y - low, high - y), label=arm, capsize=2, **style)
            axes.axhline(1.0, color="black", linewidth=0.8)
            axes.set_xticks(range(len(places)), [f"{batch}\n{step}" for batch, step in places], fontsize=7)
            axes.set(title=world, yscale="log", ylabel="time over the plain one's")
            axes.legend(frameon=False, fontsize=7)
        for axes in panels[len(worlds) :]:
            axes.set_axis_off()
        return figure


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
    pairs = ((each.scalars, each.vectors) if isinstance(each, Features) else (each,) for each in given)
    return [part for pair in pairs for part in pair if part.numel()]


def _forward(layer: Layer, given: tuple[Any, ...], _: list[Tensor]) -> Call:
    """A call in inference mode."""
    module: Any = layer.module
    return lambda _: module(*given)


def _prepared(layer: Layer, given: tuple[Any, ...], _: list[Tensor]) -> Call:
    """A call as planning makes it, many in a row with the weights as they are now."""
    module: Any = layer.module
    run = module.prepared() if hasattr(module, "prepared") else module
    return lambda _: run(*given)


def _both(layer: Layer, given: tuple[Any, ...], slopes: list[Tensor]) -> Call:
    """A call and the gradients of its inputs and weights, from the same slopes of the outputs."""
    module: Any = layer.module
    wanted = [each.requires_grad_() for each in _parts(given)]
    wanted += [weight for weight in module.parameters() if weight.numel()]
    return lambda _: torch.autograd.grad(_parts(module(*given)), wanted, slopes)


PASSES: dict[str, Callable[[Layer, tuple[Any, ...], list[Tensor]], Call]] = {
    FORWARD: _forward,
    PREPARED: _prepared,
    BACKWARD: _both,
}


def _own(part: Tensor) -> Tensor:
    """Contiguous memory of its own, as a layer before would have left it."""
    return part.clone(memory_format=torch.contiguous_format)


def _properties(layer: Layer, seed: int) -> Row:
    """What it weighs, and how far it is from commuting with its group."""
    assert layer.module is not None
    residuals = {f"residual_{dtype}": layer.residual(dtype, seed) for dtype in ("float32", "float64")}
    return {"parameters": sum(weight.numel() for weight in layer.module.parameters()), **residuals}
