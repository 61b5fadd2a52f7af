"""Data and training."""

from equiworld.training.collect import Exploration, collect
from equiworld.training.dataset import Dataset
from equiworld.training.overlap import check_disjoint
from equiworld.training.trainer import TrainingConfig, train

__all__ = ["Dataset", "Exploration", "TrainingConfig", "check_disjoint", "collect", "train"]
