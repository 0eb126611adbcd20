import re
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import BrokerURLError, JobQueue, JobQueueError
from jobqueue.broker.address import _USUAL, Address


@pytest.mark.parametrize(
    ("url", "target", "shown"),
    [
        ("beanstalkd://h", ("h", 11300), "beanstalkd://h:11300"),
        ("beanstalkd://h:1", ("h", 1), "beanstalkd://h:1"),
        ("beanstalkd://h:1/", ("h", 1), "beanstalkd://h:1"),
        ("beanstalkd://[::1]", ("::1", 11300), "beanstalkd://[::1]:11300"),
        ("beanstalkd://[::1]:9", ("::1", 9), "beanstalkd://[::1]:9"),
        ("unix:///run/b.sock", "/run/b.sock", "unix:///run/b.sock"),
        ("unix:///a%20b", "/a b", "unix:///a%20b"),
    ],
)
def test_good_url(url: str, target: object, shown: str) -> None:
    address = Address.parse(url)

    assert target == address.target
    assert shown == str(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "h:11300",
        "beanstalkd:",
        "beanstalkd://",
        "beanstalkd://:11300",
        "beanstalkd://h:0",
        "beanstalkd://h:65536",
        "beanstalkd://h:x",
        "beanstalkd://h/path",
        "beanstalkd://h?x=1",
        "beanstalkd://h#x",
        "beanstalkd://[::1",
        "redis://h",
        "unix://",
        "unix:///",
        "unix://relative/path",
        "unix:///a%00b",
    ],
)
def test_bad_url(url: str) -> None:
    """The error shows a good one as an example."""
    with pytest.raises(BrokerURLError, match=r"beanstalkd://127\.0\.0\.1:11300"):
        Address.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "beanstalkd://ada:s3cret@h",
        "redis://:s3cret@h:6379/0",
        "ada:s3cret@h",
        "beanstalkd://h?token=s3cret",
        "beanstalkd://ada:s3cret@h:x",
        "beanstalkd://ada:pa/s3cret@h",
        "beanstalkd://ada:pa?s3cret@h",
        "beanstalkd://ada:pa#s3cret@h",
        "beanstalkd://s3cret:pa/ss@h",
        "beanstalkd://s3cret:pa?ss@h",
        "beanstalkd://ada:s3cret:@h",
        "beanstalkd://ada:pa@s3cret@h",
        "beanstalkd://ada:s3cret%40h",
        "beanstalkd://ada:s3cret\uff20h",
        "beanstalkd://ada:s3cret",
        "beanstalkd:\\\\ada:s3cret@h",
        "beanstalkd:ada:s3cret@h",
        "//ada:s3cret@h",
        "redis://:s3cret",
        "redis://h/0?password=s3cret",
        "redis://h/0?password=pa@s3cret",
        "redis://h#s3cret",
        "unix://ada:s3cret@/run/b.sock",
        "unix:///run/b.sock?password=s3cret",
    ],
)
def test_password_is_hidden(url: str) -> None:
    with pytest.raises(BrokerURLError) as raised:
        JobQueue(url)

    assert "s3cret" not in str(raised.value)


@given(
    st.sampled_from(["beanstalkd://", "unix://", "redis://", "amqp:", "//", ""]),
    st.text(),
    st.text() | st.just("127.0.0.1:11300"),
)
def test_any_password_is_hidden(scheme: str, around: str, host: str) -> None:
    url = f"{scheme}ada:{around}s3cret{around}@{host}"
    with pytest.raises(BrokerURLError) as raised:
        Address.parse(url)

    assert "s3cret" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "url",
    ["h:11300", "redis://h:6379/0", "unix://relative/path", "beanstalkd://[::1]:1/x"],
)
def test_other_text_is_shown(url: str) -> None:
    """Text that is no password is shown."""
    with pytest.raises(BrokerURLError, match=f"^'{re.escape(url)}' is not a broker's"):
        Address.parse(url)


@given(st.text() | st.integers() | st.binary())
def test_any_text(url: str) -> None:
    try:
        address = Address.parse(url)
    except JobQueueError:
        return
    assert Address.parse(str(address)) == address


@given(st.from_regex(_USUAL, fullmatch=True))
def test_fast_path(url: str) -> None:
    """Usual URLs, which a faster parser reads, are read as any other."""

    def understood(parse: Callable[[str], Address]) -> object:
        try:
            return parse(url)
        except BrokerURLError as error:
            return str(error)

    assert understood(Address._parse_any) == understood(Address.parse)


def test_order_of_precedence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The given URL, else the environment's, else the default."""
    assert Address.find(None).target == ("127.0.0.1", 11300)
    monkeypatch.setenv("BEANSTALKD_URL", "beanstalkd://b")
    assert Address.find(None).target == ("b", 11300)
    assert Address.find("beanstalkd://c").target == ("c", 11300)
    monkeypatch.setenv("BEANSTALKD_URL", "")
    assert Address.find(None).target == ("127.0.0.1", 11300)
