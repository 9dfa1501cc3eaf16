"""Writes all that is kept about one person to a file, for the person who asks for a copy (GDPR, article 15)."""

import argparse
import asyncio
import base64
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, or_, select

from ops.copying import add_place_arguments, metadata_of, urls
from ops.errors import OperatorError
from services.common.store.database import Database
from services.common.trust.private import write_private


@dataclass(frozen=True)
class Part:
    """Rows of one table that are about a person, without what is a secret or somebody else's."""

    table: str
    by: tuple[str, ...] = ("user_id",)
    """Columns that name the person."""
    without: tuple[str, ...] = ()


_ACTED = Part("audit", ("actor",), ("id", "detail", "position", "hash"))
_WAS_ACTED_ON = Part("audit", ("target",), ("id", "actor", "detail", "position", "hash"))
_TOLD = Part("outbox", ("entity",), ("payload", "published"))
PARTS: dict[str, tuple[Part, ...]] = {
    "auth": (
        Part("accounts", without=("tokens_not_before", "revision")),
        Part("redemptions"),
        Part("passkeys", without=("sign_count",)),
        Part("challenges", without=("secret",)),
        Part("sign_ins"),
        Part("personal_tokens", without=("token_hash",)),
        _TOLD,
        _ACTED,
        _WAS_ACTED_ON,
    ),
    "invite": (
        Part("quotas"),
        Part("grants", without=("operator_id",)),
        Part("invitations", ("inviter_id", "guest_id"), ("code_hash", "claim_request_hash")),
        Part("people"),
        Part("doors", ("operator_id",), ("id", "last_number")),
        _TOLD,
        _ACTED,
        _WAS_ACTED_ON,
    ),
    "room_directory": (
        Part("rooms", ("creator_id",), ("room_key", "version", "epoch_ceiling")),
        Part("stage_seats"),
        Part("hands"),
        Part("offers", without=("by_user_id",)),
        Part("captioners"),
        Part("guests"),
        Part("removals"),
        Part("epoch_floors"),
        Part("blocks", ("blocker_id",)),  # not by whom the person is blocked: that is the others' own
        Part("ladder_orders", ("operator_id",)),
        Part("reports", ("reporter_id",)),
        Part("reports", ("subject_id",), ("reporter_id", "text")),
        _ACTED,
        _WAS_ACTED_ON,
    ),
}
ABOUT_NOBODY = {
    "auth": {"refresh_tokens", "secrets", "owner_link", "outbox_counter", "audit_head"},
    "invite": {"outbox_counter", "audit_head", "fact_cursor", "places", "entries"},
    "room_directory": {
        "relays",
        "signing_keys",
        "audit_head",
        "fact_cursor",
        "room_leases",
        "directory_copies",
        "ladder_changes",
        "booths",
    },
}
"""Tables without an account; refresh tokens are only hashes, and belong to sign-ins; whoever has a place before the
doors has no account yet, and is found by the address left there; entries are counted by the number of a redemption."""


async def find(auth: Database, handle: str) -> str:
    """The id behind a handle. Raises OperatorError."""
    accounts = metadata_of("auth").tables["accounts"]
    async with auth.read() as session:
        found = await session.scalar(
            select(accounts.c.user_id).where(accounts.c.handle == handle.removeprefix("@").lower())
        )
    if found is None:
        raise OperatorError(
            f"nobody is called @{handle.removeprefix('@')}: a deleted account has its id only, --user-id"
        )
    return str(found)


async def export(databases: Mapping[str, Database], user_id: str) -> dict[str, Any]:
    """All rows about a person, by service and table. Raises OperatorError when there are none at all."""
    found: dict[str, Any] = {}
    for keeper, parts in PARTS.items():
        tables: dict[str, list[dict[str, Any]]] = {}
        async with databases[keeper].read() as session:
            for part in parts:
                table = metadata_of(keeper).tables[part.table]
                columns = [column for column in table.columns if column.name not in part.without]
                about = or_(*(table.c[name] == user_id for name in part.by))
                rows = await session.execute(select(*columns).where(about).order_by(*table.primary_key))
                tables.setdefault(part.table, []).extend(
                    {name: _plain(value) for name, value in row.items()} for row in rows.mappings()
                )
        found[keeper] = {name: rows_ for name, rows_ in tables.items() if rows_}
    if not any(found.values()):
        raise OperatorError(f"nothing is kept about {user_id}: is it the account's id?")
    return {"user_id": user_id, "made_at": dt.datetime.now(dt.UTC).isoformat(), **found}


async def export_waiting(invite: Database, email: str) -> dict[str, Any]:
    """The places before the doors that an address is left with. Raises OperatorError when there are none."""
    places = metadata_of("invite").tables["places"]
    async with invite.read() as session:
        rows = await session.execute(select(places).where(func.lower(places.c.letter_to) == email.strip().lower()))
        found = [{name: _plain(value) for name, value in row.items()} for row in rows.mappings()]
    if not found:
        raise OperatorError("nobody who waits before the doors left this address; an account's copy goes by --handle")
    return {"email": email, "made_at": dt.datetime.now(dt.UTC).isoformat(), "invite": {"places": found}}


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `export-person`."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--handle", help="the person's handle")
    who.add_argument("--user-id", help="the account's id")
    who.add_argument(
        "--email", help="the address that somebody who waits before the doors left, and who has no account"
    )
    parser.add_argument("--to", type=Path, required=True, help="file to write, JSON")
    add_place_arguments(parser)


async def _run(places: Mapping[str, str], *, handle: str, user_id: str, email: str) -> dict[str, Any]:
    databases = {keeper: Database(url, keeper) for keeper, url in places.items()}
    try:
        if email:
            return await export_waiting(databases["invite"], email)
        return await export(databases, user_id or await find(databases["auth"], handle))
    finally:
        for database in databases.values():
            await database.close()


def run(options: argparse.Namespace) -> int:
    """Writes the file, for its owner's eyes only."""
    who = {name: getattr(options, name) or "" for name in ("handle", "user_id", "email")}
    found = asyncio.run(_run(urls(options.state, options.database), **who))
    write_private(options.to, json.dumps(found, indent=1, ensure_ascii=False))
    whose = found.get("user_id") or found["email"]
    print(f"{options.to} holds all that is kept about {whose}; send it on a way only that person can read")
    return 0
