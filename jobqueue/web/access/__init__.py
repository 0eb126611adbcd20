"""Who may see the page, and who may change anything by it."""
