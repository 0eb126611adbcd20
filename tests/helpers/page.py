"""The page for operators, as a browser asks for it, without a browser."""

import re
from typing import Any

from starlette.testclient import TestClient

from jobqueue import JobQueue
from jobqueue.web import app
from tests.helpers.servers import eventually_true

OURS = {"origin": "http://localhost"}  # what a browser says with a form of ours


class Page:
    """The page of a queue, with a browser on this machine."""

    def __init__(
        self,
        queue: JobQueue,
        *,
        client: str = "127.0.0.1",
        host: str = "localhost",
        **options: Any,
    ) -> None:
        self.app = app(queue, **options)
        self.site = self.app.state.site
        self.browser = TestClient(
            self.app,
            base_url=f"http://{host}",
            client=(client, 50000),
            follow_redirects=False,
        )

    def get(self, path: str, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.browser.get(path, headers=named)

    def text(self, path: str) -> str:
        """Return a page, which has to be there."""
        found = self.get(path)
        assert found.status_code == 200, found.text
        return str(found.text)

    def act(self, do: str, **form: object) -> Any:
        """Send a form of the page."""
        return self.browser.post("/act", data={"do": do, **form}, headers=OURS)

    def outcome(self, do: str, **form: object) -> str:
        """Send a form, and return what the page says came of it, at the end."""
        sent = self.act(do, **form)
        assert sent.status_code == 303, sent.text
        return self.notice(sent.headers["location"])

    def notice(self, path: str) -> str:
        """Return what a page says about a change, when that is over."""
        eventually_true(lambda: not self._said(path).endswith("…"))
        return self._said(path)

    def _said(self, path: str) -> str:
        found = re.search(r'role="status">\s*<p>(.*?)\n', self.text(path))
        assert found, path
        return found[1]
