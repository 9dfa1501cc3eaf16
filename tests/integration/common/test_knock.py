"""A port that nobody listens at refuses; whoever listens does not, however long they say nothing."""

import asyncio
import socket

import pytest

from services.common.knock import refuses


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_port_behind_which_no_process_is_refuses_also_by_a_name_of_several_addresses(host: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert await refuses(f"{host}:{port}")


async def test_a_process_that_answers_nothing_does_not_refuse() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        async with asyncio.timeout(5):
            assert not await refuses(f"127.0.0.1:{port}")


async def test_what_is_no_address_is_no_refusal() -> None:
    assert not await refuses("nowhere")
