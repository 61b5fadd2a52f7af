"""The encoders of observations, by name: one file and one line each."""

from equiworld.models.encoders.cloud import Cloud, CloudObservationEncoder
from equiworld.models.encoders.encoder import Encoder, ObservationEncoder
from equiworld.models.encoders.identity import Identity

__all__ = ["ENCODERS", "Cloud", "CloudObservationEncoder", "Encoder", "Identity", "ObservationEncoder"]

ENCODERS: dict[str, type[Encoder]] = {"identity": Identity, "cloud": Cloud}
