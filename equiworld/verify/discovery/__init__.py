"""From transitions to a proposed symmetry: the algebra, the finite candidates, the types of the keys."""
