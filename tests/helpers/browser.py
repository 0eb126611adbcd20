"""A person with a browser, and Debian's chromium for it."""

import re
import shutil
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PHONE, LAPTOP, WIDE = (360, 740), (1280, 800), (1920, 1080)
PATIENCE = 20_000  # milliseconds

NEEDS_BROWSER = [
    pytest.mark.thorough,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.xdist_group("browser"),
]


class Operator:
    """A person with a browser. What goes wrong in the browser is kept.

    ``expected`` are statuses of replies, as "503", that are nothing wrong: a browser
    tells of each.
    """

    def __init__(self, context: Any, url: str) -> None:
        context.set_default_timeout(PATIENCE)
        self.context = context
        self.url = url
        self.problems: list[str] = []
        self.expected: set[str] = set()
        self.page = self.tab()

    def tab(self) -> Any:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._said)
        page.on("request", self._asked)
        return page

    def _said(self, message: Any) -> None:
        if message.type not in {"error", "warning"}:
            return
        if not any(f"status of {status}" in message.text for status in self.expected):
            self.problems.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self.problems.append(f"asked {request.url}")

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def click(self, name: str, role: str = "link") -> None:
        self.page.get_by_role(role, name=name, exact=True).click()

    def sees(self, selector: str, text: str) -> None:
        found = self.page.locator(selector, has_text=re.compile(text))
        found.first.wait_for(state="visible", timeout=PATIENCE)

    def reload(self) -> None:
        """Load the page again, once the browser has arrived: else it would refuse."""
        self.page.wait_for_load_state()
        self.page.reload()
