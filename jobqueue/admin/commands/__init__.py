"""What each command of the operator does."""
