"""Fetch a page, parse it, and fetch the pages that it links to.

A job may run twice, and both tasks allow for that: a saved page is not fetched again,
and a fetch is put only for pages that are not saved yet.

A job's body holds 64 KiB at most, and a page may be longer. So the page is saved to a
file, and the jobs hold its URL.
"""

import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urldefrag, urljoin, urlsplit
from urllib.request import urlopen

from jobqueue import Bury, JobQueue

queue = JobQueue()

PAGES = Path(os.environ.get("CRAWLER_PAGES", "pages"))


@queue.task("fetch")
def fetch(url: str) -> None:
    """Save a page to its file, and put the job that parses it."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise Bury(f"{url} is not on the web")  # a job can be put by hand, with any URL
    page = page_of(url)
    if not page.exists():
        try:
            with urlopen(url, timeout=10) as response:  # noqa: S310 - checked above
                html = response.read()
        except HTTPError as error:
            if error.code == 404:  # noqa: PLR2004 - a dead link is not an error of the crawler
                return
            raise
        partial = page.with_suffix(f".{os.getpid()}")
        partial.write_bytes(html)
        partial.replace(page)  # never half a page
    parse.put(url=url)


@queue.task("parse")
def parse(url: str) -> None:
    """Put a job that fetches each page of the same site that this page links to."""
    links = Links()
    links.feed(page_of(url).read_text())
    for href in links.found:
        link, _ = urldefrag(urljoin(url, href))
        same_site = urlsplit(link).netloc == urlsplit(url).netloc
        if same_site and not page_of(link).exists():
            fetch.put(url=link)


def page_of(url: str) -> Path:
    """Return the file for a page."""
    return PAGES / (quote(url, safe="") + ".html")


class Links(HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the target of a link."""
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)
