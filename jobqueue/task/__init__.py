"""What a task is: its definition, its options, its registry, and putting it."""
