"""A small web site to crawl, served by the example itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

SITE = {
    "/": ["/beans", "/stalks", "/beans#giant"],
    "/beans": ["/", "/beans/magic", "/gone"],
    "/beans/magic": ["/stalks", "http://elsewhere.example/"],
    "/stalks": ["/beans", "/stalks/high?in=the&sky=1"],
    "/stalks/high?in=the&sky=1": ["/"],
}


class Page(BaseHTTPRequestHandler):
    """Answers with a page that has links only."""

    def do_GET(self) -> None:
        """Send the page, or 404."""
        links = SITE.get(self.path)
        found = links is not None
        self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
        self.end_headers()
        for link in links or []:
            href = link.replace("&", "&amp;")
            self.wfile.write(f'<p><a href="{href}">{href}</a>\n'.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing: requests would drown the output of the example."""


@contextmanager
def served() -> Iterator[str]:
    """Serve the site on a free port, and yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
