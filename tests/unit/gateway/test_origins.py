"""Which pages may use cookies."""

import pytest

from services.gateway.domain.errors import OriginRefused
from services.gateway.domain.origins import Origins


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("https://hall.example", "https://hall.example"),
        ("https://Hall.Example:443/", "https://hall.example"),
        ("https://hall.example:8443", "https://hall.example:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://localhost:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080", "http://[::1]:8080"),
        ("http://localhost", "http://127.0.0.1"),
    ],
)
def test_our_own_pages_may(public_url: str, origin: str) -> None:
    Origins(public_url).check("POST", origin, "same-origin")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://hall.example",
        "https://hall.example.evil.example",
        "https://hall.example:444",
        "https://sub.hall.example",
        "http://localhost:8080",
        "null",
        "",
    ],
)
def test_other_pages_may_not(origin: str) -> None:
    with pytest.raises(OriginRefused):
        Origins("https://hall.example").check("POST", origin, None)


def test_a_change_needs_an_origin() -> None:
    with pytest.raises(OriginRefused):
        Origins("https://hall.example").check("POST", None, "same-origin")


@pytest.mark.parametrize("site", [None, "same-origin", "none"])
def test_reading_needs_none_since_browsers_leave_it_out(site: str | None) -> None:
    Origins("https://hall.example").check("GET", None, site)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "made-up"])
def test_reading_from_another_site_is_refused_all_the_same(site: str) -> None:
    with pytest.raises(OriginRefused):
        Origins("https://hall.example").check("GET", None, site)


def test_a_development_server_can_be_added() -> None:
    Origins("http://localhost:8080", extra=("http://localhost:5173",)).check("POST", "http://localhost:5173", None)
