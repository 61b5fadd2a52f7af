"""Questions put to the library: worlds × arms × questions × seeds over one store.

A question is a file in `questions` and a line here; an arm is a line in `arms.py`; a world is a file in `worlds` and a
line there, or any registered environment that has a task.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from equiworld.errors import UnknownNameError

if TYPE_CHECKING:
    from equiworld.benchmarks.suite.question import Question

__all__ = ["QUESTIONS", "question"]

QUESTIONS: dict[str, str] = {
    "one-step": "equiworld.benchmarks.questions.one_step:OneStep",
    "closed-loop": "equiworld.benchmarks.questions.closed_loop:ClosedLoop",
    "success": "equiworld.benchmarks.questions.success:Success",
    "certificate": "equiworld.benchmarks.questions.certificate:CertificateOf",
    "keypoint-noise": "equiworld.benchmarks.questions.keypoint_noise:KeypointNoise",
    "data-efficiency": "equiworld.benchmarks.questions.data_efficiency:DataEfficiency",
    "parameters": "equiworld.benchmarks.questions.parameters:Parameters",
    "planner-success": "equiworld.benchmarks.questions.planner_success:PlannerSuccess",
    "planner-speed": "equiworld.benchmarks.questions.planner_speed:PlannerSpeed",
    "planner-quality": "equiworld.benchmarks.questions.planner_quality:PlannerQuality",
    "door": "equiworld.benchmarks.questions.door:DoorLoops",
    "door-bits": "equiworld.benchmarks.questions.door_bits:DoorBits",
    "declarations": "equiworld.benchmarks.questions.declarations:Declarations",
    "exact-policy": "equiworld.benchmarks.questions.exact_policy:ExactPolicy",
    "layer-speed": "equiworld.benchmarks.questions.layer_speed:LayerSpeed",
    "speed": "equiworld.benchmarks.questions.speed:Speed",
    "device": "equiworld.benchmarks.questions.device:Device",
    "eyes": "equiworld.benchmarks.questions.eyes:EyesQuestion",
}
"""By name, the module and the class of each question; imported when asked for."""


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
