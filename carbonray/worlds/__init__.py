"""Worlds in act, clear, settle: torch only, no files."""
