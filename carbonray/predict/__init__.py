"""The leakage predictor: a room that is empty until its issue."""
