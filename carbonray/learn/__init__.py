"""Agents who learn: algorithms, policies, and what trained agents change; on RLlib where it is installed."""
