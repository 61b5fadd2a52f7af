"""Eyes: what turns a cloud of points into a few numbers that a model without clouds is told."""
