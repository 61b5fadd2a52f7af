"""What `evaluate` reports: episodes, and the intervals of what they say together."""

from equiworld.verify.evaluation.report import Episode, Evaluation

__all__ = ["Episode", "Evaluation"]
