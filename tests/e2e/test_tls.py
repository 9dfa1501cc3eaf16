"""A public hall: the gateway serves page and gRPC over TLS with a certificate of a test authority."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from majlis_client import Client
from playwright.async_api import expect

from tests.support import story
from tests.support.browser import House
from tests.support.stack import Stack, free_port_triple
from tests.support.voices import power_at

HOST = "hall.example"


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate for the hall, its key, and the authority that signed it, as PEM files."""
    now = dt.datetime.now(dt.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        base = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("Test authority"))
        dated = base.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=2))
        return dated.public_key(public).serial_number(x509.random_serial_number())

    constraints = x509.BasicConstraints(ca=True, path_length=None)
    ca = builder("Test authority", ca_key.public_key()).add_extension(constraints, critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = builder(HOST, key.public_key()).add_extension(names, critical=False)
    files = {}
    for label, data in (
        ("cert.pem", leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)),
        ("ca.pem", ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)),
        (
            "key.pem",
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        ),
    ):
        files[label] = folder / label
        files[label].write_bytes(data)
    return files["cert.pem"], files["key.pem"], files["ca.pem"]


@asynccontextmanager
async def public_hall(folder: Path) -> AsyncIterator[tuple[Stack, Path, str]]:
    """A hall under its own name, the authority that signed for it, and the browser's flag that finds it."""
    certificate, key, ca = authority(folder)
    port = free_port_triple()
    url = f"https://{HOST}:{port}"
    arguments = ["--url", url, "--cert", str(certificate), "--key", str(key), "--media-address", "127.0.0.1"]
    # Only this test is to reach it: the addresses of a public hall would be all of the machine's.
    stack = Stack(folder / "state", [*arguments, "--listen", "127.0.0.1"], port=port)
    await stack.start()
    try:
        yield stack, ca, f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    finally:
        assert await stack.stop() == 0


async def test_a_hall_with_its_own_name_serves_page_sound_and_grpc_over_tls(
    tmp_path: Path, house: House, tones: dict[int, Path]
) -> None:
    async with public_hall(tmp_path) as (stack, ca, mapping):
        url = f"https://{HOST}:{stack.port}"
        lina = await house.arrives("Lina", voice=tones[440], extra_flags=(mapping,), ignore_https_errors=True)
        omar = await house.arrives("Omar", voice=tones[700], extra_flags=(mapping,), ignore_https_errors=True)
        await story.set_up_owner(lina, stack, "lina")
        room = await story.start_room(lina, "Over TLS")
        link = await story.invitation_link(lina, stack)
        assert link.startswith(f"{url}/i/")
        await story.accept_invitation(omar, link, "omar")
        await story.enter(omar, room)
        assert power_at(await omar.hear(2.0), 440) > 0.5
        cookies = await lina.context.cookies()
        assert all(cookie["secure"] and cookie["httpOnly"] for cookie in cookies)
        await expect(story.shown(omar, "stage-seat")).to_have_count(1)

        trusted = ssl.create_default_context(cafile=str(ca))
        async with httpx.AsyncClient(verify=trusted) as browser:
            page = await browser.get(f"https://127.0.0.1:{stack.port}/")
            assert "max-age" in page.headers["strict-transport-security"]
        async with await Client.connect(f"https://127.0.0.1:{stack.port}", ca_file=ca) as client:
            assert client.server.grpc_address


NO_CALLS = """
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }); }
};
"""


async def test_two_tabs_of_one_browser_hear_two_rooms_over_https_and_their_calls_still_get_through(
    tmp_path: Path, house: House, tones: dict[int, Path]
) -> None:
    """The gateway's TLS speaks HTTP/1.1, over which all tabs of a browser share six connections."""
    async with public_hall(tmp_path) as (stack, _, mapping):
        lina = await house.arrives("Lina", voice=tones[440], extra_flags=(mapping,), ignore_https_errors=True)
        sara = await house.arrives("Sara", voice=tones[700], extra_flags=(mapping,), ignore_https_errors=True)
        omar = await house.arrives("Omar", extra_flags=(mapping,), ignore_https_errors=True)
        await story.set_up_owner(lina, stack, "lina")
        rooms = [await story.start_room(lina, "Stars")]
        await story.accept_invitation(sara, await story.invitation_link(lina, stack), "sara")
        await story.accept_invitation(omar, await story.invitation_link(lina, stack), "omar")
        rooms.append(await story.start_room(sara, "Seas"))
        await omar.context.add_init_script(NO_CALLS)
        second = replace(omar, page=await omar.context.new_page())
        for tab, room, hertz in ((omar, rooms[0], 440), (second, rooms[1], 700)):
            await tab.page.goto(room)
            await expect(story.shown(tab, "status")).to_have_attribute("data-rung", "https")
            assert power_at(await tab.hear(2.0), hertz) > 0.5
        for tab in (omar, second):
            await story.raise_hand(tab)
            await tab.page.reload()
            await expect(story.shown(tab, "status")).to_have_attribute("data-rung", "https")
            await expect(story.shown(tab, "hand-up")).to_be_visible()
