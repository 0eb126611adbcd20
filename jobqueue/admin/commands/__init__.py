"""The commands, a function for each."""
