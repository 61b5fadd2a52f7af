"""What a trained latent means: its law, the freedom that is left, and what of two runs is the same.

>>> from equiworld.groups import SO3
>>> from equiworld.symmetry import FeatureType
>>> from equiworld.symmetry.latent_blocks import latent_blocks
>>> blocks = latent_blocks(FeatureType(3, scalars=4, vectors=6), SO3())
>>> [step.dimension for step in gauge_ladder(blocks)]
[231, 159, 21]
"""

from equiworld.analysis.dynamics import LinearDynamics, fit_linear_dynamics
from equiworld.analysis.exchange import ExchangeReport, is_exchange_invariant
from equiworld.analysis.gauge import Alignment, Gauge, gauge_between
from equiworld.analysis.hidden import HiddenMatch, average_weights, match_hidden
from equiworld.analysis.invariance import InvarianceResult, invariance_test
from equiworld.analysis.isotropy import Isotropy, isotropy
from equiworld.analysis.ladder import LadderStep, gauge_ladder, measured_gauge_dimension
from equiworld.analysis.normality import NormalityResult, NormalityTest
from equiworld.analysis.runs import RunComparison, compare_runs
from equiworld.analysis.stitching import AveragedEncoder, Stitched, latent_error

__all__ = [
    "Alignment",
    "AveragedEncoder",
    "ExchangeReport",
    "Gauge",
    "HiddenMatch",
    "InvarianceResult",
    "Isotropy",
    "LadderStep",
    "LinearDynamics",
    "NormalityResult",
    "NormalityTest",
    "RunComparison",
    "Stitched",
    "average_weights",
    "compare_runs",
    "fit_linear_dynamics",
    "gauge_between",
    "gauge_ladder",
    "invariance_test",
    "is_exchange_invariant",
    "isotropy",
    "latent_error",
    "match_hidden",
    "measured_gauge_dimension",
]
