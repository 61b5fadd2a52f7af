"""Questions put to the library, one file each, with the settings, the code and what came out in one place.

A benchmark is a frozen dataclass of settings (with `out` and `seed`, and `quick` if it runs long), which is also its
command line, and beside it in the same module a function `run(settings)` that returns a result as
`equiworld.results` has it and, if a plain table will not do, `report(result)` that says it in text.
To add one, write the module and register it here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from equiworld.errors import UnknownNameError
from equiworld.results import text_table

if TYPE_CHECKING:
    from equiworld.benchmarks.suite.question import Question

__all__ = ["BENCHMARKS", "QUESTIONS", "Benchmark", "benchmark", "question"]

BENCHMARKS: dict[str, str] = {
    "orientation": "equiworld.benchmarks.orientation:Config",
    "space": "equiworld.benchmarks.space:SpaceConfig",
    "space-success": "equiworld.benchmarks.space_success:SpaceSuccessConfig",
    "success": "equiworld.benchmarks.success:SuccessConfig",
    "exactness": "equiworld.benchmarks.exactness:ExactnessConfig",
    "data-efficiency": "equiworld.benchmarks.data_efficiency:DataEfficiencyConfig",
    "parameters": "equiworld.benchmarks.parameters:ParametersConfig",
    "layer-speed": "equiworld.benchmarks.layer_speed:LayerSpeedConfig",
    "speed": "equiworld.benchmarks.speed:SpeedConfig",
    "device": "equiworld.benchmarks.device:DeviceConfig",
    "door": "equiworld.benchmarks.door:DoorConfig",
    "exact-policy": "equiworld.benchmarks.exact_policy:ExactPolicyConfig",
}
"""By name, the module and the class of its settings; imported when asked for."""

QUESTIONS: dict[str, str] = {
    "one-step": "equiworld.benchmarks.questions.one_step:OneStep",
    "closed-loop": "equiworld.benchmarks.questions.closed_loop:ClosedLoop",
    "success": "equiworld.benchmarks.questions.success:Success",
    "certificate": "equiworld.benchmarks.questions.certificate:CertificateOf",
    "keypoint-noise": "equiworld.benchmarks.questions.keypoint_noise:KeypointNoise",
    "data-efficiency": "equiworld.benchmarks.questions.data_efficiency:DataEfficiency",
    "parameters": "equiworld.benchmarks.questions.parameters:Parameters",
    "planner-quality": "equiworld.benchmarks.questions.planner_quality:PlannerQuality",
    "planner-speed": "equiworld.benchmarks.questions.planner_speed:PlannerSpeed",
    "planner-success": "equiworld.benchmarks.questions.planner_success:PlannerSuccess",
}
"""By name, the module and the class of each question; imported when asked for."""


@dataclass(frozen=True)
class Benchmark:
    """One question.

    Attributes:
        name: it is registered under.
        settings: the class of its settings.
        run: the result of settings.
        report: a result in text.
    """

    name: str
    settings: type[Any]
    run: Callable[[Any], dict[str, Any]]
    report: Callable[[dict[str, Any]], str]


def question(name: str) -> type[Question]:
    """The class of a question.

    Raises:
        UnknownNameError: no such question; lists those there are.

    >>> question("one-step")().title
    'How wrong is one predicted step, and is it as wrong at every orientation?'
    """
    if name not in QUESTIONS:
        raise UnknownNameError("question", name, QUESTIONS, "add a line to equiworld.benchmarks.QUESTIONS")
    module, _, kind = QUESTIONS[name].partition(":")
    return getattr(importlib.import_module(module), kind)


def benchmark(name: str) -> Benchmark:
    """A registered benchmark.

    Raises:
        UnknownNameError: no such benchmark; lists those there are.

    >>> benchmark("orientation").settings(quick=True).seed
    0
    """
    if name not in BENCHMARKS:
        raise UnknownNameError("benchmark", name, BENCHMARKS, "add one to equiworld.benchmarks.BENCHMARKS")
    module_name, class_name = BENCHMARKS[name].split(":")
    module = importlib.import_module(module_name)
    report = getattr(module, "report", lambda result: text_table(result["rows"]))
    return Benchmark(name, getattr(module, class_name), module.run, report)
