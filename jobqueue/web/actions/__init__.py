"""What the page changes."""
