"""The parts of `check_symmetry`: trials in the simulator, what they are compared by, and what would fit instead."""
