"""One job: its body and signature, its context in a task, and its outcome."""
