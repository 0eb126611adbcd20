"""Running one job. Knows no broker."""
