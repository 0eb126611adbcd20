"""Several worker processes, signals and shared memory. Knows no slot."""
