"""What a trained latent means: its law, the freedom that is left, and what of two runs is the same.

>>> from equiworld.groups import SO3
>>> from equiworld.symmetry import FeatureType
>>> from equiworld.symmetry.latent_blocks import latent_blocks
>>> blocks = latent_blocks(FeatureType(3, scalars=4, vectors=6), SO3())
>>> [step.dimension for step in gauge_ladder(blocks)]
[231, 159, 21]
"""

from equiworld.analysis.gauge import Alignment, Gauge, gauge_between
from equiworld.analysis.invariance import InvarianceResult, invariance_test
from equiworld.analysis.isotropy import Isotropy, isotropy
from equiworld.analysis.ladder import LadderStep, gauge_ladder, measured_gauge_dimension
from equiworld.analysis.normality import NormalityResult, NormalityTest

__all__ = [
    "Alignment",
    "Gauge",
    "InvarianceResult",
    "Isotropy",
    "LadderStep",
    "NormalityResult",
    "NormalityTest",
    "gauge_between",
    "gauge_ladder",
    "invariance_test",
    "isotropy",
    "measured_gauge_dimension",
]
