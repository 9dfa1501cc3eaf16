"""What the relay's handshakes use of OpenSSL beyond pyOpenSSL's public names is there, and nothing else knows of it."""

from pathlib import Path

from OpenSSL import SSL

import services.media_relay
from services.media_relay.sessions.certificate import SRTP_NAMES, Certificate, allow_curves
from services.media_relay.sessions.dtls import _SIZES
from tools.bootstrap import tree

USERS = {"certificate.py", "dtls.py", "dtls_trouble.py"}


def test_certificates_may_be_on_every_curve_this_openssl_has() -> None:
    known = allow_curves(SSL.Context(SSL.DTLS_METHOD))
    assert known[:2] == ["X25519", "P-256"], "what keys are agreed on with comes first"
    assert {"P-384", "P-521"} <= set(known)


def test_the_profile_that_is_cheapest_to_seal_is_offered_first() -> None:
    assert list(SRTP_NAMES) == [b"SRTP_AEAD_AES_128_GCM", b"SRTP_AEAD_AES_256_GCM", b"SRTP_AES128_CM_SHA1_80"]
    assert len(Certificate().fingerprint.value) == 95


def test_keys_are_as_long_as_the_packet_core_wants_them() -> None:
    assert {name: sum(sizes) for name, sizes in _SIZES.items()} == {
        "AEAD_AES_128_GCM": 28,
        "AEAD_AES_256_GCM": 44,
        "AES128_CM_HMAC_SHA1_80": 30,
    }


def test_no_other_file_of_the_relay_knows_of_openssl_and_none_of_aiortc() -> None:
    texts = {path: path.read_text() for path in tree(Path(services.media_relay.__file__).parent, "*.py")}
    assert {path.name for path, text in texts.items() if "from OpenSSL" in text} == USERS
    assert [path.name for path, text in texts.items() if "import aiortc" in text or "from aiortc" in text] == []
