"""What the relay uses of aiortc, private names included, is there and is as it was in the version that was tried."""

import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from aiortc import rtcdtlstransport as dtls
from OpenSSL import SSL

from services.media_relay.sessions import handshake as webrtc
from tools.bootstrap import tree

TRIED = "1.16.0"


def test_aiortc_is_the_version_whose_private_names_were_tried() -> None:
    assert version("aiortc") == TRIED, "read webrtc.py against the new version, then change this line"


@pytest.mark.parametrize(
    "name", ["_setup_srtp", "_set_role", "_set_state", "_do_handshake", "_write_ssl", "_recv_next", "start"]
)
def test_the_transport_still_has_the_method(name: str) -> None:
    assert callable(getattr(dtls.RTCDtlsTransport, name))


def test_the_transport_still_keeps_its_parts_under_the_names_in_use() -> None:
    certificate = webrtc.Certificate.generateCertificate()
    transport = webrtc._Dtls(webrtc._Datagrams(lambda _: None), certificate)
    for name in ("_ssl", "_task", "_srtp_profiles", "_role", "_state"):
        assert hasattr(transport, name), name
    assert transport._role == "server"
    assert transport.state == "new"


def test_start_calls_what_hands_the_keys_on_after_checking_the_peer() -> None:
    source = inspect.getsource(dtls.RTCDtlsTransport.start)
    assert source.index("_validate_peer_identity") < source.index("_setup_srtp") < source.index("CONNECTED")


def test_a_certificate_makes_its_context_once_and_offers_the_cheapest_profile_first() -> None:
    certificate = webrtc.Certificate.generateCertificate()
    transport = webrtc._Dtls(webrtc._Datagrams(lambda _: None), certificate)
    profiles = transport._srtp_profiles
    assert [profile.openssl_profile for profile in profiles] == [
        b"SRTP_AEAD_AES_128_GCM",
        b"SRTP_AEAD_AES_256_GCM",
        b"SRTP_AES128_CM_SHA1_80",
    ]
    context = certificate._create_ssl_context(profiles)
    assert isinstance(context, SSL.Context)
    assert certificate._create_ssl_context(profiles) is context
    assert len(certificate.fingerprint.value) == 95


def test_keys_are_as_long_as_the_packet_core_wants_them() -> None:
    lengths = {name: p.key_length + p.salt_length for name, p in webrtc._PROFILES.items()}
    assert lengths == {"AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44, "AES128_CM_HMAC_SHA1_80": 30}


def test_no_other_file_of_the_relay_imports_aiortc() -> None:
    folder = Path(webrtc.__file__).parent.parent
    users = [
        path.name for path in tree(folder, "*.py") if "aiortc" in path.read_text() and "import" in path.read_text()
    ]
    assert [name for name in users if name != "handshake.py"] == []
