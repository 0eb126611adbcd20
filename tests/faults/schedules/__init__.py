"""Periodic tasks under faults: ``python -m tests.faults.schedules``."""
