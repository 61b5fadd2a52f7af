"""How questions are put: cells, the store of what came out, runs over many workers, reports."""
