"""What auth takes from the public URL."""

from pathlib import Path

import pytest

from services.auth.settings import Settings


@pytest.mark.parametrize(
    ("public_url", "origin", "host"),
    [
        ("https://hall.example:443", "https://hall.example", "hall.example"),
        ("https://Hall.Example/", "https://hall.example", "hall.example"),
        ("HTTPS://hall.example:8443", "https://hall.example:8443", "hall.example"),
        ("http://localhost:80", "http://localhost", "localhost"),
    ],
)
def test_passkeys_belong_to_the_origin_as_browsers_write_it(public_url: str, origin: str, host: str) -> None:
    settings = Settings(public_url=public_url, owner_link_file=Path("link"), service_secret_file=Path("secret"))
    assert (settings.origin, settings.host) == (origin, host)
