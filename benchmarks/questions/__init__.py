"""One file a question; `equiworld.benchmarks.QUESTIONS` lists them."""
