"""Writes what docs/reference says by itself: tables of what the code defines."""
