"""Output: tables, progress and colours, on a terminal or in a pipe."""
