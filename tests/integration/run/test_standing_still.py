"""What a part answers tells whether it stands still; so does that it takes a connection and answers nothing."""

import asyncio
import signal
import socket
import subprocess
import sys

import pytest

from ops.run.watch import stands_still

HALTED = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def ask(port: int, status: int = 200) -> bool:
    return stands_still(f"http://127.0.0.1:{port}/{status}", seconds=0.5)


def test_a_part_whose_every_thread_is_held_up_stands_still_and_one_that_is_away_does_not() -> None:
    with subprocess.Popen([sys.executable, "-c", HALTED], stdout=subprocess.PIPE, text=True) as part:
        try:
            assert part.stdout is not None
            port = int(part.stdout.readline())
            assert [ask(port, status) for status in (200, 404, 503)] == [False, False, True]
            part.send_signal(signal.SIGSTOP)
            assert ask(port)
            part.send_signal(signal.SIGCONT)
        finally:
            part.kill()
    assert not ask(port)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0\r\n"])
async def test_an_answer_that_is_none_is_no_standing_still(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = asyncio.ensure_future(asyncio.to_thread(ask, server.getsockname()[1]))
        connection, _ = await asyncio.to_thread(server.accept)
        connection.sendall(said)
        connection.close()
        assert not await asked
