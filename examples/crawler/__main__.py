"""Serve the site, put the first job, and run a worker until no job is left."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

from local_broker import local_broker

from crawler.site import served
from crawler.tasks import fetch, queue
from jobqueue import BrokerError


def main() -> None:
    """Crawl the example's own site, and print the pages that were found."""
    with (
        local_broker(),
        served() as site,
        tempfile.TemporaryDirectory() as pages,
        queue,
    ):
        print(f"put job {fetch.put(url=f'{site}/')}: fetch(url='{site}/')")
        command = ["-m", "jobqueue.worker", "--import", "crawler.tasks", "--burst"]
        print("start a worker: python", *command, flush=True)
        subprocess.run(
            [sys.executable, *command, "--log-level", "warning"],
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"CRAWLER_PAGES": pages},
            check=True,
        )
        found = sorted(unquote(page.stem) for page in Path(pages).iterdir())
        print(f"{len(found)} pages:", *found, sep="\n  ")


try:
    main()
except BrokerError as error:
    sys.exit(str(error))
