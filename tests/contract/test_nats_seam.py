"""What the bus uses of nats-py's private names is there and is as it was in the version that was tried."""

import inspect
from importlib.metadata import version

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.protocol import command, parser

from services.common.bus.stream import StreamClient

TRIED = "2.16.0"


def test_nats_py_is_the_version_whose_private_names_were_tried() -> None:
    assert version("nats-py") == TRIED, "read bus_stream.py against the new version, then change this line"


def test_the_client_still_keeps_its_parts_under_the_names_in_use() -> None:
    client = StreamClient()
    for name in ("_transport", "_pending", "_pending_data_size", "_max_payload", "_error_cb", "_pongs", "stats"):
        assert hasattr(client, name), name
    transport = TcpTransport()  # type: ignore[no-untyped-call]
    assert hasattr(transport, "_io_writer")
    assert Subscription(client, id=7)._id == 7


def test_messages_still_come_through_the_method_in_use() -> None:
    expected = ["self", "sid", "subject", "reply", "data", "headers"]
    assert list(inspect.signature(Client._process_msg).parameters) == expected
    assert list(inspect.signature(StreamClient._process_msg).parameters) == expected
    assert "self.nc._process_msg(sid, subject, reply, payload, hdr)" in inspect.getsource(parser.Parser.parse)


def test_a_connection_is_still_made_by_the_method_in_use() -> None:
    assert list(inspect.signature(Client._process_connect_init).parameters) == ["self"]
    for maker in (Client.connect, Client._attempt_reconnect):
        assert "await self._process_connect_init()" in inspect.getsource(maker)


def test_what_waits_is_still_what_the_flusher_writes() -> None:
    source = inspect.getsource(Client._flusher)
    assert "writelines(self._pending[:])" in source
    assert command.pub_cmd("a.b", "", b"xyz") == b"PUB a.b  3\r\nxyz\r\n"


def test_an_answer_to_a_ping_still_ends_the_oldest_wait_and_would_break_on_one_given_up() -> None:
    source = inspect.getsource(Client._process_pong)
    assert "future = self._pongs.pop(0)" in source
    assert "future.set_result(True)" in source
    assert "self._pongs.append(future)" in inspect.getsource(Client._send_ping)
    assert "self._pongs = []" in inspect.getsource(Client._process_connect_init)
