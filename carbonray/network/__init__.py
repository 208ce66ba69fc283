"""The supply graph: networkx for building and measures, edge arrays for stepping."""
