"""The parts of `certify`: recorded loops, their comparison over an orbit, and the report."""
