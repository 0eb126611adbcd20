"""Fetch a page, parse it, fetch what it links to.

A job may run twice, so both tasks can: a page that is there is not fetched again, and
only links to pages that are not there yet are put.

A job's body holds 64 KiB at most, and a page may be longer. So the page goes into a
file, and what travels from one task to the other is its URL.
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
    """Save a page to its file, and have it parsed."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise Bury(f"{url} is not on the web")  # anybody can put a job by hand
    page = page_of(url)
    if not page.exists():
        try:
            with urlopen(url, timeout=10) as response:  # noqa: S310 - checked above
                html = response.read()
        except HTTPError as error:
            if error.code == 404:  # noqa: PLR2004 - a dead link is no failure of ours
                return
            raise
        partial = page.with_suffix(f".{os.getpid()}")
        partial.write_bytes(html)
        partial.replace(page)  # whole or not at all
    parse.put(url=url)


@queue.task("parse")
def parse(url: str) -> None:
    """Put a fetch for every page of the same site that this one links to."""
    links = Links()
    links.feed(page_of(url).read_text())
    for href in links.found:
        link, _ = urldefrag(urljoin(url, href))
        same_site = urlsplit(link).netloc == urlsplit(url).netloc
        if same_site and not page_of(link).exists():
            fetch.put(url=link)


def page_of(url: str) -> Path:
    """Return the file that a page is saved in."""
    return PAGES / (quote(url, safe="") + ".html")


class Links(HTMLParser):
    """Collects where a page's links go."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the target of a link."""
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)
