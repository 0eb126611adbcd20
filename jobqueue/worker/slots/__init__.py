"""Taking jobs from the broker, and settling them."""
