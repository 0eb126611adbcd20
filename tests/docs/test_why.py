"""What why/security prints of signing, and why/promises of TCP."""

import re
import subprocess
import sys
from pathlib import Path

from jobqueue.job.body import decode
from jobqueue.job.signing import Signing
from tests.helpers.pages import blocks, page
from tests.helpers.paths import ROOT


def test_signing(tmp_path: Path) -> None:
    make_secret, *_ = blocks("why/security", "sh")
    (sign,) = blocks("why/security", "python")
    (tmp_path / "sign.py").write_text(sign)
    script = f'{make_secret}{sys.executable} sign.py; echo "$JOBQUEUE_SECRET"'

    printed = subprocess.check_output(["sh", "-euc", script], cwd=tmp_path)
    body, secret = printed.splitlines()

    Signing(secret).check(body)
    assert decode(body).kwargs == {"a": 1, "b": 2}


def test_settings_of_tcp() -> None:
    """docker-compose.yml has the settings that the page recommends."""
    setting = r"^ *(net\.\S+?)(?:: | = )(\d+)$"
    promises = page("why/promises").read_text()
    printed = re.findall(setting, promises, re.MULTILINE)
    compose = (ROOT / "docker-compose.yml").read_text()

    assert len(printed) == 4
    assert re.findall(setting, compose, re.MULTILINE) == printed
