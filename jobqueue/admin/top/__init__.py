"""The command ``top``: a live view of all tubes."""
