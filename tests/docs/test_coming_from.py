"""The pages coming-from/celery, coming-from/rq, coming-from/huey, coming-from/dramatiq.

The code of the other libraries is not run: it is Python, and does the same in name.
"""

import ast

import pytest

from jobqueue.testing import run_jobs
from tests.helpers.pages import all_blocks, page
from tests.helpers.servers import Beanstalkd
from tests.helpers.shop import Shop

OTHERS = ("celery", "rq", "huey", "dramatiq")


def code(name: str, *, ours: bool) -> str:
    (found,) = (
        block.text
        for block in all_blocks(page(f"coming-from/{name}"))
        if block.language == "python" and (block.run_by is None) == ours
    )
    return found


@pytest.mark.parametrize("name", OTHERS)
def test_same_application(name: str) -> None:
    """Both have the same functions, with the same arguments."""

    def functions(text: str) -> list[tuple[str, str]]:
        nodes = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
        return [(node.name, ast.unparse(node.args)) for node in nodes]

    assert functions(code(name, ours=False)) == functions(code(name, ours=True))
    assert code(name, ours=True) == code("celery", ours=True)


def test_ours(
    shop: Shop, broker: Beanstalkd, capsys: pytest.CaptureFixture[str]
) -> None:
    """The welcome is sent at once, and the reminder waits for a week."""
    (shop.folder / "shop/mails.py").write_text(code("celery", ours=True))
    mails = shop.module("mails")
    with mails.queue:
        mails.sign_up("ada@example.org")
        run_jobs(broker.url)

    assert capsys.readouterr().out == "Welcome, ada@example.org\n"
    assert broker.counts("mails") == {"delayed": 1}
