"""Tasks: their definition, options and registry, and putting jobs for them."""
