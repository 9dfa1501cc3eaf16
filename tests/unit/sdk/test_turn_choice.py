"""Which of the offered servers a program goes through: aioice can use one."""

import pytest
from majlis.room_directory.v1 import room_pb2
from majlis_client.webrtc import turn_server

UDP = "turn:turn.hall.example:3478"
TCP = "turn:turn.hall.example:3478?transport=tcp"
TLS = "turns:turn.hall.example:443"
TLS_BY_UDP = "turns:turn.hall.example:443?transport=udp"


def offered(*urls: str) -> list[room_pb2.IceServer]:
    stun = room_pb2.IceServer(urls=["stun:turn.hall.example"])
    return [stun, room_pb2.IceServer(urls=urls, username="1772409600:abc", credential="secret")]


@pytest.mark.parametrize(
    ("urls", "chosen"),
    [((UDP, TCP, TLS), TCP), ((UDP, TLS), TLS), ((TLS_BY_UDP, TCP), TCP), ((UDP,), UDP)],
)
def test_it_is_the_first_that_needs_no_udp_or_else_the_first(urls: tuple[str, ...], chosen: str) -> None:
    (server,) = turn_server(offered(*urls))
    assert (server.urls, server.username, server.credential) == (chosen, "1772409600:abc", "secret")


def test_without_turn_there_is_none() -> None:
    assert turn_server([]) == []
    assert turn_server(offered()) == []
