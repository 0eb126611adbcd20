"""Looking at the jobs that the broker has, and changing them: Operator."""
