"""A newsletter: subscribers in SQLite, mails sent by a worker, and tests of both."""
