"""Trouble of every kind, and a ledger that shows that no job was lost in it."""
