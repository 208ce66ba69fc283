"""Interventions, paired effects and sweeps: a room that is empty until its issue."""
