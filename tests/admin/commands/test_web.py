"""The command web, as a process, and its part of the docs."""

import re
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.helpers.pages import blocks
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import operate, operate_in_a_process
from tests.helpers.web_process import WebProcess


def read(url: str, **headers: str) -> str:
    with urlopen(Request(url, headers=headers)) as reply:
        return str(reply.read().decode())


def test_serves(broker: Beanstalkd, tmp_path: Path) -> None:
    """It says where, as the docs print it, shows tubes, and ends well at a SIGTERM."""
    broker.put(b"x", "emails")
    with WebProcess(tmp_path, BEANSTALKD_URL=broker.url) as web:
        assert "emails" in read(web.url)
        assert 'method="post"' not in read(f"{web.url}/tube?name=emails")

    (printed,) = blocks("operating/web", "console")
    expected = printed.splitlines()[1].replace(":8080", f":{web.port}")
    assert re.sub(r"\S+://\S+\.sock", "URL", web.log.splitlines()[0]) == re.sub(
        r"beanstalkd://[\d.:]*\d", "URL", expected
    )


def test_password_and_path(broker: Beanstalkd, tmp_path: Path) -> None:
    env = {"BEANSTALKD_URL": broker.url, "JOBQUEUE_WEB_PASSWORD": "open sesame!"}
    basic = "Basic YWRhOm9wZW4gc2VzYW1lIQ=="
    options = ("--root-path", "/ops/", "--host", "0.0.0.0", "--allow-actions")
    web = WebProcess(tmp_path, *options, **env)
    with web:
        with pytest.raises(HTTPError, match="401") as refused:
            read(web.url)
        refused.value.close()
        for path in ("", "/", "/ops", "/ops/", "/ops/failures", "/failures"):
            text = read(web.url + path, Authorization=basic)
            links = re.findall(r'(?:href|src|action)="([^"#]*)', text)
            assert len(links) > 5
            assert all(link.startswith("/ops/") for link in links if link)

    place = f"{web.url}/ops, and at each other address of this machine, shows and"
    assert place in web.log  # a browser opens no http://0.0.0.0
    assert "open sesame" not in web.log


def test_silent_connections(broker: Beanstalkd, tmp_path: Path) -> None:
    """Those who open many, and ask for nothing, keep nobody else out."""
    with WebProcess(tmp_path, BEANSTALKD_URL=broker.url) as web, ExitStack() as silent:
        for number in range(500):
            client = socket.create_connection(("127.0.0.1", web.port))
            silent.enter_context(client)
            whole = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
            client.sendall(whole if number % 2 else whole[:-2])
        assert "<h1>Tubes</h1>" in read(web.url)


@pytest.mark.parametrize(
    ("options", "status", "problem"),
    [
        (["--host", "0.0.0.0"], 2, "other machines can reach 0.0.0.0: set "),
        (["--allow-host", "http://a.b"], 2, "'http://a.b' is not the name of a host"),
        (["--port", "65536"], 2, "a number up to 65535"),
        (["--host", "256.0.0.1"], 1, "can't listen on 256.0.0.1, port 8080: "),
    ],
)
def test_wrong_use(
    broker: Beanstalkd, options: list[str], status: int, problem: str
) -> None:
    if "--port" not in options and "--allow-host" in options:
        options = [*options, "--port", "0"]

    done = operate(broker, "web", *options)

    assert done.returncode == status
    assert problem in done.stderr


def test_port_in_use(broker: Beanstalkd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = operate(broker, "web", "--port", port)

    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1, port {port}: Address already" in done.stderr


def test_without_the_extra(broker: Beanstalkd, tmp_path: Path) -> None:
    module = "raise ModuleNotFoundError('no', name='starlette')\n"
    (tmp_path / "starlette.py").write_text(module)

    done = operate_in_a_process(broker, "web", PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith("jobqueue web: error: jobqueue.web needs the extra ")
    assert "pip install 'jobqueue[web]'" in done.stderr
