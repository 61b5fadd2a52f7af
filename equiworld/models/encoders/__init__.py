"""The encoders of observations, by name: one file and one line each."""

from equiworld.models.encoders.cloud import Cloud, CloudObservationEncoder
from equiworld.models.encoders.encoder import Encoder, LearnedEncoder, ObservationEncoder
from equiworld.models.encoders.identity import Identity
from equiworld.models.encoders.state import State

__all__ = [
    "ENCODERS",
    "Cloud",
    "CloudObservationEncoder",
    "Encoder",
    "Identity",
    "LearnedEncoder",
    "ObservationEncoder",
    "State",
]

ENCODERS: dict[str, type[Encoder]] = {"identity": Identity, "cloud": Cloud, "state": State}
