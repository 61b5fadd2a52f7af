"""Data and training."""

from equiworld.training.collect import collect
from equiworld.training.config import TrainingConfig
from equiworld.training.dataset import Dataset
from equiworld.training.exploring import Exploration
from equiworld.training.held_out import hold_out
from equiworld.training.overlap import check_disjoint
from equiworld.training.trainer import train

__all__ = ["Dataset", "Exploration", "TrainingConfig", "check_disjoint", "collect", "hold_out", "train"]
