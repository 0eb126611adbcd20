"""One job: its body, its signature, its context in a task, and what becomes of it."""
