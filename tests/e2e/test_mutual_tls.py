"""The whole system with mutual TLS between its services, whose every certificate is replaced while a room is live."""

import asyncio
from pathlib import Path

from majlis.room_directory.v1 import room_service_pb2

from ops.nats_config import SERVICES
from tests.support import load_tool
from tests.support.certificates import Authority
from tests.support.members import friend_of, owner_of
from tests.support.stack import Stack

EXPIRY = 'majlis_tls_certificate_expiry_timestamp_seconds{use="service"}'


def environment(authority: Authority) -> dict[str, str]:
    """The settings that turn mutual TLS on, for every service."""
    return {
        f"{service.upper()}_{name.upper()}": str(path)
        for service in SERVICES
        for name, path in authority.files(service).items()
    }


def expiries(stack: Stack) -> dict[str, str]:
    lines = {service: stack.metrics(service).splitlines() for service in SERVICES}
    return {service: next(each for each in lines[service] if each.startswith(EXPIRY)) for service in SERVICES}


async def test_a_room_does_not_notice_that_every_certificate_and_the_authority_are_replaced(
    tmp_path: Path, tones: dict[int, Path]
) -> None:
    authority = Authority(tmp_path / "tls")
    stack = Stack(tmp_path / "state", env=environment(authority))
    await stack.start()
    try:
        before = expiries(stack)
        owner = await owner_of(stack)
        guest = await friend_of(stack, owner, "omar")
        room_id = (await owner.client.create_room("Behind closed doors")).room_id
        async with load_tool.speaking(stack.url, room_id, owner.access_token, tones[440]):
            listening = asyncio.ensure_future(load_tool.hearing(stack.url, room_id, guest.access_token, 8.0))

            async def look_in(seconds: float) -> None:
                """Everything that people do passes through at least two services."""
                for _ in range(int(seconds * 10)):
                    await guest.client.rooms.GetRoom(room_service_pb2.GetRoomRequest(room_id=room_id))
                    await owner.client.invite()
                    await asyncio.sleep(0.1)

            await look_in(1.0)
            following = Authority(tmp_path / "next", "Next authority")
            authority.ca_file.write_bytes(authority.ca_file.read_bytes() + following.ca_file.read_bytes())
            await look_in(1.5)
            for service in SERVICES:
                cert, key = following.issue(service)
                cert.replace(tmp_path / "tls" / cert.name)
                key.replace(tmp_path / "tls" / key.name)
            await look_in(1.5)
            authority.ca_file.write_bytes(following.ca_file.read_bytes())
            await look_in(1.5)
            report = await listening
            # Whoever joins now is seated, permitted and connected by services that know each other by new names alone.
            late = await friend_of(stack, owner, "noor")
            heard = await load_tool.hearing(stack.url, room_id, late.access_token, 1.0)
        assert heard["packets"]["received"] > 0
        assert report["packets"]["lost"] == 0, report
        assert report["packets"]["received"] > 200
        after = expiries(stack)
        assert all(after[service] != before[service] for service in SERVICES), (before, after)
        for member in (owner, guest, late):
            await member.leave_for_good()
    finally:
        assert await stack.stop() == 0, stack.output[-3000:]
