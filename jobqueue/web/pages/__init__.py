"""What the page shows, a module for each kind of page."""
