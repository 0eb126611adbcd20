"""The log and the counters of a worker."""
