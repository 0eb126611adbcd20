"""The live view of all tubes."""
