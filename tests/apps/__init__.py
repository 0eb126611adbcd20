"""Applications of tests: each is copied into a test's folder, as its `tasks.py`."""
