"""A sign-in goes to its own server alone, whatever link was pasted."""

from pathlib import Path

import pytest
from majlis_client import CredentialStore, MajlisError, StoredSignIn
from majlis_client.destination import destination
from majlis_client.pasted import room_of

HALL, OTHER, EVIL = "https://hall.example", "https://other.example:8443", "https://evil.example"


@pytest.fixture
def kept(tmp_path: Path) -> CredentialStore:
    store = CredentialStore(tmp_path)
    store.save(StoredSignIn(OTHER, refresh_token="other"))
    store.save(StoredSignIn(HALL, refresh_token="hall"))
    return store


@pytest.mark.parametrize(
    ("named", "link", "own_token", "url"),
    [
        ("", "", False, HALL),
        ("", "", True, HALL),
        ("", "HTTPS://Hall.Example:443", True, HALL),
        ("", OTHER, False, OTHER),  # what is stored there is what is used
        (OTHER, "", False, OTHER),
        ("other.example:8443", OTHER, False, OTHER),
        (EVIL, EVIL, True, EVIL),
    ],
)
def test_a_command_asks_the_server_that_its_sign_in_belongs_to(
    kept: CredentialStore, named: str, link: str, own_token: bool, url: str
) -> None:
    assert destination(kept, named, link, own_token=own_token).url == url


@pytest.mark.parametrize(
    ("named", "link", "own_token"),
    [
        ("", EVIL, True),
        ("", EVIL, False),
        ("", OTHER, True),
        (HALL, OTHER, False),
        (HALL, "https://hall.example@evil.example", True),
        (HALL, "https://hall.example:8443", True),
        (HALL, "evil.example", True),
    ],
)
def test_a_link_of_another_server_is_refused(kept: CredentialStore, named: str, link: str, own_token: bool) -> None:
    with pytest.raises(MajlisError) as refused:
        destination(kept, named, link, own_token=own_token)
    assert refused.value.reason == "LINK_ELSEWHERE"
    assert refused.value.metadata["link"].startswith("https://")
    assert "@" not in refused.value.metadata["link"]


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("room000000000001", ""),
        ("/r/room000000000001#key", ""),
        ("Come: HTTPS://evil.example/r/room000000000001.", "HTTPS://evil.example"),
        ("https://evil.example/hall/r/room000000000001", EVIL),
        ("(evil.example/r/room000000000001)", "evil.example"),
        ("localhost:8080/r/room000000000001", "localhost:8080"),
    ],
)
def test_no_way_to_write_a_link_hides_its_server(text: str, server: str) -> None:
    assert room_of(text).server == server
