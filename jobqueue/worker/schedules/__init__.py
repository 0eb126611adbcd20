"""Keeping the schedules of periodic tasks: see ``keeper.py``."""
