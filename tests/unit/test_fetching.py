"""Addresses that a user gives: what is reached, and what never is."""

import contextlib
import gzip
import http.server
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar

import pytest

from imaginem.errors import PermanentError, RetryableError
from imaginem.images import fetching
from imaginem.images.deadlines import Deadline
from imaginem.images.fetching import GuardedFetcher
from imaginem.images.name_lookups import NameLookups


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://127.1/x",
        "http://2130706433/x",
        "http://0x7f000001/x",
        "http://0177.0.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://0/x",
    ],
)
def test_no_notation_reaches_inside(url: str) -> None:
    with pytest.raises(PermanentError, match="address inside a network"):
        GuardedFetcher()(url)


@pytest.mark.parametrize(
    "url",
    [
        "YOUR_IMAGE_URL",
        "<<URL>>",
        "your image url",
        "",
        "file:///etc/passwd",
        "ftp://x.test/a",
        "http://",
        "http:///x",
        "http://x.test:port/",
        "http://x.test/a b",
        "data:image/png;base64,AAAA",
    ],
)
def test_what_is_no_web_address_is_told(url: str) -> None:
    with pytest.raises(PermanentError, match="not an http"):
        GuardedFetcher()(url)


def test_credentials_in_an_address_are_refused() -> None:
    with pytest.raises(PermanentError, match="remove user and password"):
        GuardedFetcher()("http://user:pass@x.test/a")


class Site(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    seen: ClassVar[list[str]] = []
    accepted: ClassVar[str] = ""

    def do_GET(self) -> None:
        type(self).seen.append(f"{self.headers['Host']}{self.path}")
        type(self).accepted = self.headers["Accept-Encoding"]
        status, headers, body = self.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Site.answers, Site.seen = {}, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def allowed(site: str) -> GuardedFetcher:
    return GuardedFetcher([site.removeprefix("http://")])


def test_an_allowed_host_is_fetched(site: str, allowed: GuardedFetcher) -> None:
    Site.answers["/a.jpg?x=1"] = (200, {"Content-Length": "3"}, b"abc")

    assert allowed(f"{site}/a.jpg?x=1") == b"abc"


def test_redirects_are_followed_and_checked_again(site: str, allowed: GuardedFetcher) -> None:
    Site.answers["/one"] = (302, {"Location": "/two", "Content-Length": "0"}, b"")
    Site.answers["/two"] = (200, {"Content-Length": "2"}, b"ok")
    Site.answers["/inside"] = (
        302,
        {"Location": "http://169.254.169.254/", "Content-Length": "0"},
        b"",
    )
    Site.answers["/file"] = (302, {"Location": "file:///etc/passwd", "Content-Length": "0"}, b"")
    Site.answers["/loop"] = (302, {"Location": "/loop", "Content-Length": "0"}, b"")

    assert allowed(f"{site}/one") == b"ok"
    for path, told in (
        ("/inside", "inside a network"),
        ("/file", "not an http"),
        ("/loop", "redirects"),
    ):
        with pytest.raises(PermanentError, match=told):
            allowed(f"{site}{path}")


def test_the_checked_address_is_the_one_connected_to(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers public once and private the next time gains nothing."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    connected: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        connected.append(address[0])
        raise OSError("unreachable in this test")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(RetryableError, match="can't connect"):
        GuardedFetcher()("http://rebinding.test/x")

    assert connected == ["93.184.216.34"]


def test_statuses_say_whether_to_try_again(site: str, allowed: GuardedFetcher) -> None:
    Site.answers["/busy"] = (429, {"Retry-After": "7", "Content-Length": "0"}, b"")
    Site.answers["/down"] = (503, {"Content-Length": "0"}, b"")
    Site.answers["/no"] = (403, {"Content-Length": "0"}, b"")

    with pytest.raises(RetryableError, match="answered 429") as busy:
        allowed(f"{site}/busy")
    assert busy.value.retry_after == 7
    with pytest.raises(RetryableError, match="answered 503"):
        allowed(f"{site}/down")
    for path in ("/no", "/missing"):
        with pytest.raises(PermanentError, match="check the address"):
            allowed(f"{site}{path}")


def test_a_large_answer_is_cut_off(
    site: str, allowed: GuardedFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "BYTE_LIMIT", 1000)
    Site.answers["/declared"] = (200, {"Content-Length": "2000"}, b"x" * 2000)
    Site.answers["/endless"] = (200, {}, b"x" * 5000)

    for path in ("/declared", "/endless"):
        with pytest.raises(PermanentError, match="20 MB"):
            allowed(f"{site}{path}")


def test_a_slow_answer_is_given_up(site: str) -> None:
    Site.answers["/slow"] = (200, {"Content-Length": "10"}, b"0123456789")
    impatient = GuardedFetcher([site.removeprefix("http://")], total_seconds=-1)

    with pytest.raises(RetryableError, match="in time"):
        impatient(f"{site}/slow")


def test_a_name_that_does_not_exist_is_told() -> None:
    with pytest.raises((PermanentError, RetryableError), match=r"nowhere\.invalid"):
        GuardedFetcher()("http://nowhere.invalid/x")


def test_a_query_is_not_in_the_error(site: str, allowed: GuardedFetcher) -> None:
    with pytest.raises(PermanentError, match="answered 404") as told:
        allowed(f"{site}/missing?sig=secret")
    assert "secret" not in str(told.value)


def test_headers_that_trickle_in_end_in_time() -> None:
    def trickle() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=trickle)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(RetryableError, match="in time"):
            GuardedFetcher([f"127.0.0.1:{port}"], total_seconds=0.2)(f"http://127.0.0.1:{port}/")
        assert time.monotonic() - begun < 3
        thread.join()


class SlowNames:
    """A name server that takes long, by a clock that only it moves on; and some names it never
    answers for."""

    def __init__(self, seconds: float, never: str = "") -> None:
        self.now, self.seconds, self.never = 0.0, seconds, never
        self.asked: list[str] = []
        self.answers = threading.Event()

    def __call__(self, host: str, port: int) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host == self.never:
            self.answers.wait(10)
        self.now += self.seconds
        return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

    def clock(self) -> float:
        return self.now


def fetch_with(names: SlowNames, site: str, at_once: int = 2) -> GuardedFetcher:
    port = site.rpartition(":")[2]
    return GuardedFetcher(
        [f"{host}:{port}" for host in ("one.test", "two.test", "never.test")],
        look_up=NameLookups(names, at_once),
        clock=names.clock,
    )


@pytest.mark.parametrize(("seconds", "in_time"), [(14.0, True), (16.0, False)])
def test_the_lookups_of_all_redirects_share_one_deadline(
    site: str, seconds: float, in_time: bool
) -> None:
    port, names = site.rpartition(":")[2], SlowNames(seconds)
    Site.answers["/a"] = (
        302,
        {"Location": f"http://two.test:{port}/b", "Content-Length": "0"},
        b"",
    )
    Site.answers["/b"] = (200, {"Content-Length": "2"}, b"ok")
    fetch = fetch_with(names, site)
    if in_time:
        assert fetch(f"http://one.test:{port}/a") == b"ok"
    else:
        with pytest.raises(RetryableError, match="no answer in time"):
            fetch(f"http://one.test:{port}/a")
    assert names.asked == ["one.test", "two.test"]


def test_a_name_server_is_waited_for_as_long_as_time_is_left(site: str) -> None:
    """The first lookup takes all of the 30 seconds but a tenth; the second never ends."""
    port, names = site.rpartition(":")[2], SlowNames(29.9, never="never.test")
    Site.answers["/a?sig=secret"] = (
        302,
        {"Location": f"http://never.test:{port}/b?sig=secret", "Content-Length": "0"},
        b"",
    )
    begun = time.monotonic()
    with pytest.raises(RetryableError, match=r"never\.test.*: no answer in time") as told:
        fetch_with(names, site)(f"http://one.test:{port}/a?sig=secret")
    assert time.monotonic() - begun < 5
    assert "secret" not in str(told.value)
    names.answers.set()


def test_late_lookups_are_few_and_what_they_find_is_dropped(site: str) -> None:
    port, names = site.rpartition(":")[2], SlowNames(0, never="never.test")
    look_up = NameLookups(names, at_once=2)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            look_up("never.test", int(port), Deadline(0.02))
    assert names.asked == ["never.test"] * 2
    names.answers.set()
    assert look_up("one.test", int(port), Deadline(10))[0][-1] == ("127.0.0.1", int(port))


@pytest.mark.parametrize("answer", ["127.0.0.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
def test_one_address_inside_among_those_of_both_families_is_enough(answer: str) -> None:
    def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
        places: list[Any] = [("2606:2800:220:1::1", port, 0, 0), (answer, port, 0, 0)]
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", place) for place in places]

    with pytest.raises(PermanentError, match="address inside a network"):
        GuardedFetcher(look_up=NameLookups(look_up))("http://name.test/")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_a_server_compressed_is_never_inflated(
    site: str, allowed: GuardedFetcher, coding: str
) -> None:
    zeros = bytes(30_000_000)
    bomb = gzip.compress(zeros, 1) if coding == "gzip" else zlib.compress(zeros, 1)
    headers = {"Content-Encoding": coding, "Content-Length": str(len(bomb))}
    Site.answers["/bomb"] = (200, headers, bomb)
    assert allowed(f"{site}/bomb") == bomb
    assert Site.accepted == "identity"


@pytest.mark.parametrize("host", ["ü..de", "ü" * 80 + ".de"])
def test_a_name_that_cannot_be_encoded_is_told(host: str) -> None:
    with pytest.raises(PermanentError, match="not an http"):
        GuardedFetcher()(f"http://{host}/x")


def test_retry_after_may_be_a_date(site: str, allowed: GuardedFetcher) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    Site.answers["/busy"] = (503, {"Retry-After": soon, "Content-Length": "0"}, b"")
    with pytest.raises(RetryableError, match="answered 503") as busy:
        allowed(f"{site}/busy")
    assert 60 < (busy.value.retry_after or 0) <= 90


@pytest.mark.parametrize(
    "location",
    ["http://[/", "http://[::1", "//[", "http://x:99999/", "http://x:\u00b2/", "http://a b/"],
)
def test_a_redirect_to_no_address_is_told(
    site: str, allowed: GuardedFetcher, location: str
) -> None:
    Site.answers["/one?sig=secret"] = (302, {"Location": location, "Content-Length": "0"}, b"")
    with pytest.raises(PermanentError, match=r"is (no|not an http\(s\)) address") as told:
        allowed(f"{site}/one?sig=secret")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("seconds", ["\u00b2", "nan", "inf", "1_0", "-5", "9" * 400, "soon"])
def test_an_odd_retry_after_is_none(site: str, allowed: GuardedFetcher, seconds: str) -> None:
    Site.answers["/busy"] = (503, {"Retry-After": seconds, "Content-Length": "0"}, b"")
    with pytest.raises(RetryableError, match="answered 503") as busy:
        allowed(f"{site}/busy")
    assert busy.value.retry_after is None


@pytest.mark.parametrize("length", ["\u00b2", "-1", "1_0", "9" * 30, "many"])
def test_an_odd_length_breaks_nothing(site: str, allowed: GuardedFetcher, length: str) -> None:
    Site.answers["/odd"] = (200, {"Content-Length": length}, b"abc")
    with pytest.raises((PermanentError, RetryableError)):
        allowed(f"{site}/odd")


@pytest.mark.parametrize(
    "url", ["http://x/\ud800", "http://x:99999/", "http://[::1", "http://x:1_0"]
)
def test_what_can_not_be_sent_is_no_address(url: str) -> None:
    with pytest.raises(PermanentError, match="not an http"):
        GuardedFetcher()(url)
