"""Leakage predictors: the runs that they learn from, what they say, and how far to trust it."""
