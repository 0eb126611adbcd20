"""The operator's commands: what is waiting, what failed, and how to get it going."""
