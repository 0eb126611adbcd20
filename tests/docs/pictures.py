"""Make the pictures of ``jobqueue web`` anew: ``python -m tests.docs.pictures``.

A shop with workers runs for a minute, so that there is something to see.
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from jobqueue import JobQueue
from tests.helpers.browser import CHROMIUM
from tests.helpers.paths import DOCS
from tests.helpers.servers import Beanstalkd
from tests.helpers.web_process import WebProcess
from tests.helpers.worker_process import WorkerProcess, write_module

PORT = 21300  # of the broker, which the pictures show
SECONDS = 60

TASKS = """
import random
import time

from jobqueue import JobQueue

queue = JobQueue()


@queue.task("emails", retries=1, backoff=0)
def send(to, order):
    if to.startswith("nobody"):
        raise ValueError(f"no such address: {to}")


@queue.task("images")
def resize(image, width):
    time.sleep(random.uniform(0.05, 0.2))


@queue.task("payments.eu")
def charge(order):
    if random.random() < 0.01:
        raise TimeoutError("the bank did not answer within 30 s")
"""


def main() -> None:
    """Run the shop, and take the pictures."""
    with (
        tempfile.TemporaryDirectory(prefix="shop-") as name,
        Beanstalkd(PORT) as broker,
        JobQueue(broker.url) as queue,
    ):
        folder, url = Path(name), broker.url
        write_module(folder, "tasks", TASKS)
        with (
            WorkerProcess(
                folder, "--import", "tasks", "--threads", "2", BEANSTALKD_URL=url
            ),
            WebProcess(folder, "--allow-actions", BEANSTALKD_URL=url) as web,
            sync_playwright() as started,
        ):
            browser = started.chromium.launch(executable_path=CHROMIUM)
            tubes = browser.new_page(viewport={"width": 1000, "height": 430})
            tubes.goto(web.url)
            sell(queue, tubes)
            for number in range(120):
                put_image(queue, number)
            tubes.wait_for_selector(".changed")
            tubes.wait_for_selector(".changed", state="detached")
            tubes.screenshot(path=DOCS / "pictures" / "web-tubes.png")

            group = browser.new_page(
                viewport={"width": 360, "height": 640}, color_scheme="dark"
            )
            group.goto(f"{web.url}/failures")
            group.get_by_role("link", name="ValueError").click()
            group.wait_for_selector("#fresh:not([hidden])")
            group.screenshot(path=DOCS / "pictures" / "web-group.png")


def put_image(queue: JobQueue, number: int) -> None:
    """Put a job that takes a while."""
    queue.operator.put("images", "resize", {"image": f"{number}.jpg", "width": 640})


def sell(queue: JobQueue, page: Any) -> None:
    """Put the jobs of a shop for a minute, while the page is open."""
    put = queue.operator.put
    put("reports", "weekly", {"year": 2026})  # which no worker takes
    end = time.monotonic() + SECONDS
    order = 4000
    while time.monotonic() < end:
        for _ in range(random.choice([2, 3, 5, 60])):
            order += 1
            to = "nobody" if order % 37 == 0 else f"customer{order}"
            put("emails", "send", {"to": f"{to}@example.org", "order": order})
            put("payments.eu", "charge", {"order": order})
            if order % 3 == 0:
                put_image(queue, order)
        page.wait_for_timeout(700)


if __name__ == "__main__":
    main()
