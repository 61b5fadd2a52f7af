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
    "latent-step": "equiworld.benchmarks.questions.latent_step:LatentStep",
    "published-step": "equiworld.benchmarks.questions.published_step:PublishedStep",
    "rollout": "equiworld.benchmarks.questions.rollout:Rollout",
    "residual": "equiworld.benchmarks.questions.residual:Residual",
    "breaking": "equiworld.benchmarks.questions.breaking:Breaking",
    "broken-symmetry": "equiworld.benchmarks.questions.broken_symmetry:BrokenSymmetry",
    "flat-is-not-enough": "equiworld.benchmarks.questions.flat_is_not_enough:FlatIsNotEnough",
    "what-carries": "equiworld.benchmarks.questions.what_carries:WhatCarries",
    "closed-loop": "equiworld.benchmarks.questions.closed_loop:ClosedLoop",
    "told": "equiworld.benchmarks.questions.told:Told",
    "tails": "equiworld.benchmarks.questions.tails:Tails",
    "law": "equiworld.benchmarks.questions.law:Law",
    "success": "equiworld.benchmarks.questions.success:Success",
    "certificate": "equiworld.benchmarks.questions.certificate:CertificateOf",
    "keypoint-noise": "equiworld.benchmarks.questions.keypoint_noise:KeypointNoise",
    "in-slice-or-turned": "equiworld.benchmarks.questions.over_orbit:InSliceOrTurned",
    "augmentation": "equiworld.benchmarks.questions.over_orbit:Augmentation",
    "scale": "equiworld.benchmarks.questions.over_orbit:Scaling",
    "soft": "equiworld.benchmarks.questions.over_orbit:Softness",
    "post-hoc": "equiworld.benchmarks.questions.over_orbit:PostHoc",
    "data-efficiency": "equiworld.benchmarks.questions.data_efficiency:DataEfficiency",
    "training-invariance": "equiworld.benchmarks.questions.training_invariance:TrainingInvariance",
    "safety": "equiworld.benchmarks.questions.safety:Safety",
    "bodies": "equiworld.benchmarks.questions.bodies:BodiesQuestion",
    "parameters": "equiworld.benchmarks.questions.parameters:Parameters",
    "planner-success": "equiworld.benchmarks.questions.planner_success:PlannerSuccess",
    "planner-speed": "equiworld.benchmarks.questions.planner_speed:PlannerSpeed",
    "planner-quality": "equiworld.benchmarks.questions.planner_quality:PlannerQuality",
    "discovery": "equiworld.benchmarks.questions.discovery:DiscoveryQuestion",
    "door": "equiworld.benchmarks.questions.door:DoorLoops",
    "door-bits": "equiworld.benchmarks.questions.door_bits:DoorBits",
    "declarations": "equiworld.benchmarks.questions.declarations:Declarations",
    "exact-policy": "equiworld.benchmarks.questions.exact_policy:ExactPolicy",
    "model-free": "equiworld.benchmarks.questions.model_free:ModelFree",
    "peers-task": "equiworld.benchmarks.questions.peers_task:PeersTask",
    "layer-speed": "equiworld.benchmarks.questions.layer_speed:LayerSpeed",
    "speed": "equiworld.benchmarks.questions.speed:Speed",
    "device": "equiworld.benchmarks.questions.device:Device",
    "eyes": "equiworld.benchmarks.questions.eyes:EyesQuestion",
    "identifiability": "equiworld.benchmarks.questions.identifiability:Identifiability",
    "sectors": "equiworld.benchmarks.questions.sectors:Sectors",
    "degree-ladder": "equiworld.benchmarks.questions.degree_ladder:DegreeLadder",
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
