"""The storage emulator counts as started when it says itself that it listens."""

import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from imaginem.errors import ConfigurationError
from imaginem.host import Emulator, EmulatorPorts

LISTENS = """
const net = require("net"), fs = require("fs");
const begin = () => fs.existsSync("GO") ? listen() : setTimeout(begin, 10);
const words = process.argv;
const listen = () => words.forEach((word, place) => {
  if (word.endsWith("Port")) net.createServer().listen(Number(words[place + 1]), "127.0.0.1");
});
fs.writeFileSync("BEGAN", "");
begin();
"""


def test_an_emulator_is_not_believed_to_have_ports_that_another_one_got_first(
    tmp_path: Path,
) -> None:
    """Of two that are started at once both find the ports free, and one of them gets them."""
    began, go = tmp_path / "began", tmp_path / "go"
    package = tmp_path / "node_modules" / "azurite" / "dist" / "src"
    package.mkdir(parents=True)
    script = LISTENS.replace("BEGAN", str(began)).replace("GO", str(go))
    (package / "azurite.js").write_text(script)
    ports = EmulatorPorts.free()
    others: list[socket.socket] = []

    def get_them_first() -> None:
        while not began.exists():
            time.sleep(0.01)
        others.extend(socket.create_server(("127.0.0.1", port)) for port in ports.all)
        go.touch()

    rival = threading.Thread(target=get_them_first, daemon=True)
    rival.start()
    emulator = Emulator(tmp_path / "storage", ports, tmp_path)
    with pytest.raises(ConfigurationError, match=f"port {min(ports.all)} is in use by another"):
        emulator.start()
    rival.join()
    assert emulator.pid is None

    for other in others:
        with closing(other):
            pass
    emulator.start()
    assert not emulator.ended
    emulator.stop()
