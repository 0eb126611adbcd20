"""A crawler in two tasks. In the folder above: python -m crawler."""
