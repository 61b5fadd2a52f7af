"""Is the environment symmetric, is the module equivariant, is the closed loop the same everywhere?"""

from equiworld.verify.equivariance import EquivarianceReport, assert_equivariant, equivariance_residual
from equiworld.verify.invariance import assert_invariant

__all__ = ["EquivarianceReport", "assert_equivariant", "assert_invariant", "equivariance_residual"]
