"""What the operator's commands print, and how."""
