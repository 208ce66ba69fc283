"""Stepping worlds, and the tables and folders of a run."""
