"""Learning firms and regulators on RLlib: a room that is empty until its issue."""
