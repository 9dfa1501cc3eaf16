"""A browser's credentials in cookies."""

import pytest

from services.gateway.domain.cookies import CookieJar, Credentials

REFRESH_PATH = "/package.Service/Refresh"


def jar(*, secure: bool = True) -> CookieJar:
    return CookieJar(secure, REFRESH_PATH, 7_776_000)


def attributes(cookie: str) -> dict[str, str]:
    """The attributes of a Set-Cookie value, its name and value included."""
    return {name: value for name, _, value in (part.strip().partition("=") for part in cookie.split(";"))}


def test_over_https_the_names_bind_cookies_to_host_and_https() -> None:
    access, refresh = jar().write(Credentials("a", "r"))
    assert access.startswith("__Host-majlis_access=a; Path=/; ")
    assert refresh.startswith("__Secure-majlis_refresh=r; ")
    assert all("Secure" in attributes(each) for each in (access, refresh))


def test_on_localhost_the_names_are_plain_because_browsers_refuse_the_prefixes_there() -> None:
    access, refresh = jar(secure=False).write(Credentials("a", "r"))
    assert access.startswith("majlis_access=a")
    assert refresh.startswith("majlis_refresh=r")
    assert not any("Secure" in attributes(each) for each in (access, refresh))


def test_no_script_and_no_other_site_gets_at_them() -> None:
    for each in jar().write(Credentials("a", "r")):
        assert "HttpOnly" in attributes(each)
        assert attributes(each)["SameSite"] == "Lax"
        assert "Domain" not in attributes(each)


def test_the_refresh_token_travels_to_one_path_only() -> None:
    _, refresh = jar().write(Credentials("a", "r"))
    assert attributes(refresh)["Path"] == REFRESH_PATH


def test_an_empty_credential_removes_its_cookie() -> None:
    access, refresh = jar().write(Credentials("", ""))
    assert attributes(access)["Max-Age"] == attributes(refresh)["Max-Age"] == "0"
    assert attributes(refresh)["Path"] == REFRESH_PATH


def test_a_credential_that_was_not_given_leaves_its_cookie_alone() -> None:
    assert len(jar().write(Credentials("a", None))) == 1


@pytest.mark.parametrize(
    ("header", "access", "refresh"),
    [
        ("", None, None),
        ("majlis_access=a", "a", None),
        ("theme=night; majlis_access=a; majlis_refresh=r", "a", "r"),
        ("majlis_access=", None, None),
        ("xmajlis_access=a", None, None),
        ("majlis_access=a; majlis_access=b", None, None),
        ("majlis_access=a=b", "a=b", None),
    ],
)
def test_cookies_are_read_by_their_exact_name(header: str, access: str | None, refresh: str | None) -> None:
    assert jar(secure=False).read(header) == Credentials(access, refresh)


def test_a_plain_name_does_not_count_over_https() -> None:
    assert jar().read("majlis_access=planted") == Credentials(None, None)
