"""The report of `evaluate`: episodes, and intervals of their statistics."""

from equiworld.verify.evaluation.orbit import OrbitEvaluation
from equiworld.verify.evaluation.report import Episode, Evaluation

__all__ = ["Episode", "Evaluation", "OrbitEvaluation"]
