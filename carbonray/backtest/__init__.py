"""The model held against history: a room that is empty until its issue."""
