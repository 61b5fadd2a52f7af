"""Policies of stable-baselines3 as the benchmarks train and test them."""
