"""What a worker says: its log and its counters."""
