"""jobqueue beside Celery, RQ, Dramatiq, Huey and taskiq, each in its documented way."""
