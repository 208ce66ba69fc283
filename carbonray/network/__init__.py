"""The supply network: edges for stepping, graphs and measures for the analyst; heavy imports stay in the modules."""
