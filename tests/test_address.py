import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import BrokerURLError, JobQueue, JobQueueError
from jobqueue.address import Address


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
def test_a_good_url_is_understood_and_shown(
    url: str, target: object, shown: str
) -> None:
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
def test_a_bad_url_is_refused_with_a_good_one_as_example(url: str) -> None:
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
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(BrokerURLError) as raised:
        JobQueue(url)

    assert "s3cret" not in str(raised.value)


@given(st.text() | st.integers() | st.binary())
def test_any_text_is_an_address_or_a_clear_error(url: str) -> None:
    try:
        address = Address.parse(url)
    except JobQueueError:
        return
    assert Address.parse(str(address)) == address


def test_the_url_is_the_given_one_else_the_environments_else_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Address.find(None).target == ("127.0.0.1", 11300)
    monkeypatch.setenv("BEANSTALKD_URL", "beanstalkd://b")
    assert Address.find(None).target == ("b", 11300)
    assert Address.find("beanstalkd://c").target == ("c", 11300)
    monkeypatch.setenv("BEANSTALKD_URL", "")
    assert Address.find(None).target == ("127.0.0.1", 11300)
