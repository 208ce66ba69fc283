"""Interventions and paired effects (empty until their issue), and sweeps: scenario x grid x seed over a cluster."""
