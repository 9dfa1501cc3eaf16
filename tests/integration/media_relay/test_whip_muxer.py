"""FFmpeg's WHIP muxer speaks through a relay, and is heard: it waits for the DTLS handshake, or begins it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL
from structlog.testing import capture_logs

from services.media_relay.sessions.certificate import Certificate, Key, allow_curves
from tests.support.fake_bus import eventually
from tests.support.hearing import until_heard
from tests.support.relay_fleet import Fleet
from tests.support.whip_door import WhipDoor, whip_door

SPOKEN_SECONDS = 8
ROOT = Path(__file__).resolve().parents[3]


async def speak(fleet: Fleet, door: WhipDoor, *options: str) -> "asyncio.subprocess.Process":
    permit = fleet.directory.permit(fleet.relays[0], "stage", sub="user000002")
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.whip_muxer", door.url, permit, "440", str(SPOKEN_SECONDS), *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def certificate_files(folder: Path, key: Key | None = None) -> list[str]:
    """A certificate for the muxer, of the usual kind unless a key is given; left alone it makes an unusual one."""
    made = Certificate(key)
    (folder / "cert.pem").write_bytes(made.x509.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return [f"cert_file={folder / 'cert.pem'}", f"key_file={folder / 'key.pem'}"]


@asynccontextmanager
async def speaking(fleet: Fleet, door: WhipDoor, *options: str) -> AsyncIterator[None]:
    """The muxer at work; what it says of itself is shown when the test fails."""
    process = await speak(fleet, door, *options)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        sys.stdout.write((await process.communicate())[0].decode())


@pytest.mark.parametrize(
    ("begins", "key"),
    [(False, None), (True, None), (True, rsa.generate_private_key(65537, 2048))],
    ids=["waits", "begins", "begins-RSA"],
)
async def test_ffmpegs_whip_muxer_is_heard_whoever_begins_the_handshake(
    fleet: Fleet, tmp_path: Path, begins: bool, key: Key | None
) -> None:
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    options = [*certificate_files(tmp_path, key), *(["whip_flags=dtls_active"] if begins else [])]
    async with whip_door(fleet.gateway(relay)) as door, speaking(fleet, door, *options):
        await until_heard(listener.client.ear, 440.0, SPOKEN_SECONDS)
        assert f"a=setup:{'active' if begins else 'passive'}" in door.offers[0]
        assert f"a=setup:{'passive' if begins else 'active'}" in door.answers[0]


async def test_a_certificate_that_tls_here_cannot_verify_is_named_in_the_log(fleet: Fleet) -> None:
    """Left to itself the muxer makes one on P-224: with an OpenSSL that has this curve for TLS it is heard."""
    relay = await fleet.add_relay()
    listener = await fleet.listen(relay)
    with capture_logs() as lines:
        async with whip_door(fleet.gateway(relay)) as door, speaking(fleet, door):
            if "P-224" in allow_curves(SSL.Context(SSL.DTLS_METHOD)):
                await until_heard(listener.client.ear, 440.0, SPOKEN_SECONDS)
                return
            await eventually(lambda: any("DTLS" in line["event"] for line in lines), 20)
    failed = next(line for line in lines if "DTLS" in line["event"])
    assert failed["why"] == "wrong curve; the client's certificate is on the curve secp224r1"
