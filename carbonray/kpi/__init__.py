"""Numbers from runs: leakage, channels, stability."""
