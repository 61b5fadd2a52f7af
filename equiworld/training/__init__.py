"""Data and training."""

from equiworld.training.collect import collect
from equiworld.training.config import TrainingConfig
from equiworld.training.dataset import Dataset
from equiworld.training.exploring import Exploration
from equiworld.training.held_out import hold_out
from equiworld.training.losses import ENCODER_LOSSES, Agreement, BlockSIGReg, EncoderLoss, SIGReg, VICReg
from equiworld.training.optimisers import OPTIMISERS, SGD, Adam, AdamW, Muon, OptimiserSettings
from equiworld.training.overlap import check_disjoint
from equiworld.training.trainer import train

__all__ = [
    "ENCODER_LOSSES",
    "OPTIMISERS",
    "SGD",
    "Adam",
    "AdamW",
    "Agreement",
    "BlockSIGReg",
    "Dataset",
    "EncoderLoss",
    "Exploration",
    "Muon",
    "OptimiserSettings",
    "SIGReg",
    "TrainingConfig",
    "VICReg",
    "check_disjoint",
    "collect",
    "hold_out",
    "train",
]
