"""Calls to the emulator of this machine go there directly; all others as the SDK sends them."""

import pytest

from imaginem.storage.account import CLIENT_OPTIONS, emulator_connection_string
from imaginem.storage.transport import direct_transport

EMULATOR = emulator_connection_string()
AZURE = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=b;EndpointSuffix=core.windows.net"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def is_direct(connection: str, service: str = "queue") -> bool:
    return "transport" in direct_transport(connection, service, CLIENT_OPTIONS)


@pytest.mark.parametrize("service", ["blob", "queue", "table"])
def test_an_emulator_of_this_machine_is_called_directly(service: str) -> None:
    assert is_direct(EMULATOR, service)
    assert is_direct(EMULATOR.replace("127.0.0.1", "localhost"), service)


@pytest.mark.parametrize(
    "connection",
    [
        AZURE,
        EMULATOR.replace("http://", "https://"),
        EMULATOR.replace("127.0.0.1", "azurite"),
        EMULATOR.replace("127.0.0.1", "127.0.0.1.example.org"),
        AZURE + ";BlobEndpoint=http://127.0.0.1:10000/a",
    ],
    ids=["azure", "tls", "another-machine", "another-name", "another-service"],
)
def test_others_are_called_as_the_sdk_does(connection: str) -> None:
    assert not is_direct(connection)


def test_a_proxy_of_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:8888")
    assert not is_direct(EMULATOR)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert is_direct(EMULATOR)


def test_timeouts_of_the_client_hold() -> None:
    config = direct_transport(EMULATOR, "queue", CLIENT_OPTIONS)["transport"].connection_config
    assert config.timeout == CLIENT_OPTIONS["connection_timeout"]
    assert config.read_timeout == CLIENT_OPTIONS["read_timeout"]
