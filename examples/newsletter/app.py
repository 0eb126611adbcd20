"""Subscribers in SQLite, and the mails that are sent to them.

A mail is written to a file in a folder, where a mail server would pick it up.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from pathlib import Path

from jobqueue import Bury, JobQueue

queue = JobQueue(retries=3)


def subscribe(address: str) -> None:
    """Store a subscriber, and put the job that sends a welcome."""
    with database() as db:
        db.execute("INSERT OR IGNORE INTO subscribers VALUES (?)", (address,))
    # After the commit: a worker might run the job before the transaction ends.
    send_mail.put(address=address, subject="Welcome", text="Good to have you here.")


@queue.task("newsletter")
def send_issue(subject: str, text: str) -> None:
    """Put a job for each subscriber: a bad address must not stop the others."""
    with database() as db:
        addresses = [address for (address,) in db.execute("SELECT * FROM subscribers")]
    send_mail.put_many(
        {"address": address, "subject": subject, "text": text} for address in addresses
    )


@queue.task("mails")
def send_mail(address: str, subject: str, text: str) -> None:
    """Send one mail. A job may run twice: the second writes the same file again."""
    if "@" not in address:
        raise Bury(f"{address} is not an address")  # trying again would not help
    mail = EmailMessage()
    mail["To"] = address
    mail["Subject"] = subject
    mail.set_content(text)
    outbox = home() / "outbox"
    outbox.mkdir(exist_ok=True)
    (outbox / f"{address} {subject}.eml").write_bytes(bytes(mail))


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """Open the database, and commit at the end."""
    with closing(sqlite3.connect(home() / "newsletter.sqlite3")) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS subscribers (address PRIMARY KEY)")
        yield db


def home() -> Path:
    """Return the folder of the database and of the mails."""
    return Path(os.environ.get("NEWSLETTER_HOME", "."))
