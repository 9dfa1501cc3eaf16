"""Stored sign-ins are private, whole, and renewed once."""

import asyncio
import json
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from majlis_client import CredentialStore, MajlisError, PersonalToken, StoredSignIn

URL = "https://hall.example"


@pytest.fixture
def store(tmp_path: Path) -> CredentialStore:
    return CredentialStore(tmp_path / "config")


class Renewing:
    """Counts renewals, and takes a moment for each."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, sign_in: StoredSignIn) -> StoredSignIn:
        self.count += 1
        await asyncio.sleep(0.01)
        return replace(sign_in, access_token=f"access{self.count}", access_expires_at=time.time() + 600)


def test_a_sign_in_is_kept_for_its_owner_alone(store: CredentialStore, tmp_path: Path) -> None:
    sign_in = StoredSignIn(URL, refresh_token="secret", handle="lina")
    store.save(sign_in)
    assert store.load(URL) == sign_in
    assert stat.S_IMODE((tmp_path / "config" / "credentials.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "config").stat().st_mode) == 0o700


def test_the_server_signed_in_to_last_is_the_default(store: CredentialStore) -> None:
    store.save(StoredSignIn(URL, handle="first"))
    store.save(StoredSignIn("https://other.example", handle="second"))
    last, first = store.load(), store.load(URL)
    assert last is not None
    assert first is not None
    assert (last.handle, first.handle) == ("second", "first")
    store.forget("https://other.example")
    remaining = store.load()
    assert remaining is not None
    assert remaining.handle == "first"


def test_without_any_sign_in_there_is_none(store: CredentialStore) -> None:
    assert store.load() is None
    store.forget(URL)
    assert store.load(URL) is None


def test_a_broken_store_is_said_to_be_broken(store: CredentialStore, tmp_path: Path) -> None:
    store.save(StoredSignIn(URL))
    (tmp_path / "config" / "credentials.json").write_text("{")
    with pytest.raises(MajlisError) as refused:
        store.load()
    assert refused.value.reason == "STORE_BROKEN"


async def test_many_calls_at_once_renew_a_stored_token_once(store: CredentialStore, tmp_path: Path) -> None:
    store.save(StoredSignIn(URL, refresh_token="secret"))
    renewing = Renewing()
    programs = [CredentialStore(tmp_path / "config").tokens(URL) for _ in range(3)]
    tokens = await asyncio.gather(*(program.access_token(renewing) for program in programs * 4))
    assert set(tokens) == {"access1"}
    kept = json.loads((tmp_path / "config" / "credentials.json").read_text())
    assert kept["servers"][URL]["access_token"] == "access1"


async def test_a_token_about_to_expire_is_renewed_in_time(store: CredentialStore) -> None:
    store.save(StoredSignIn(URL, refresh_token="s", access_token="old", access_expires_at=time.time() + 10))
    assert await store.tokens(URL).access_token(Renewing()) == "access1"


async def test_a_refused_token_is_renewed_although_it_looks_fresh(store: CredentialStore) -> None:
    store.save(StoredSignIn(URL, refresh_token="s", access_token="old", access_expires_at=time.time() + 500))
    tokens = store.tokens(URL)
    assert await tokens.access_token(Renewing()) == "old"
    assert await tokens.access_token(Renewing(), refused="old") == "access1"


async def test_a_failed_renewal_changes_nothing(store: CredentialStore) -> None:
    before = StoredSignIn(URL, refresh_token="s")
    store.save(before)

    async def fail(_: StoredSignIn) -> StoredSignIn:
        raise MajlisError("unavailable", "UNREACHABLE", "away")

    with pytest.raises(MajlisError):
        await store.tokens(URL).access_token(fail)
    assert store.load(URL) == before


async def test_a_personal_token_is_renewed_once_for_many(store: CredentialStore) -> None:
    renewing, source = Renewing(), PersonalToken("mjp_secret")
    tokens = await asyncio.gather(*(source.access_token(renewing) for _ in range(5)))
    assert set(tokens) == {"access1"}
    assert renewing.count == 1
