"""Tickets for players that can show nothing but an address."""

import pytest

from services.common.rpc.errors import RemoteError
from services.common.trust.tokens import AccessToken
from services.gateway.domain.wish import Wish
from services.gateway.media.tickets import OPENS_SECONDS, Tickets

ROOM = "room000000000001"
ACCESS = AccessToken("user000000000001", "signin0000000001", True, None, 1_900_000_000, 1_900_000_600)
NOW = 1_900_000_100.0


def test_a_ticket_says_whose_it_is_and_what_they_hear_for_a_minute() -> None:
    now = NOW
    tickets = Tickets("secret", lambda: now)
    sealed, until = tickets.seal(ACCESS, ROOM, Wish("", ("ru", "en")))
    assert until == NOW + OPENS_SECONDS
    opened = Tickets("secret", lambda: NOW + 59).open(sealed, ROOM)
    assert opened.wish == Wish("", ("ru", "en"))
    assert (opened.access.user_id, opened.access.sign_in_id) == (ACCESS.user_id, ACCESS.sign_in_id)
    assert opened.access.issued_at == ACCESS.issued_at, "what ended before the sign-in's token does not end it"
    assert opened.access.scopes == frozenset({"listen"})
    assert not opened.access.operator


def test_a_ticket_for_few_bits_says_so_and_one_of_before_does_not() -> None:
    tickets = Tickets("secret", lambda: NOW)
    for wish in (Wish("", ("ru", "en"), thrift=True), Wish("ar", thrift=True), Wish("ar")):
        sealed, _ = tickets.seal(ACCESS, ROOM, wish)
        assert tickets.open(sealed, ROOM).wish == wish


def test_a_ticket_opens_nothing_else() -> None:
    sealed, _ = Tickets("secret", lambda: NOW).seal(ACCESS, ROOM, Wish())
    other = ("A" if sealed[0] != "A" else "B") + sealed[1:]
    for tickets, shown, room in (
        (Tickets("secret", lambda: NOW), sealed, "room000000000002"),
        (Tickets("another", lambda: NOW), sealed, ROOM),
        (Tickets("secret", lambda: NOW + 61), sealed, ROOM),
        (Tickets("secret", lambda: NOW), other, ROOM),
        (Tickets("secret", lambda: NOW), "AA", ROOM),
        (Tickets("secret", lambda: NOW), "A", ROOM),
    ):
        with pytest.raises(RemoteError) as refused:
            tickets.open(shown, room)
        assert refused.value.reason == "PERMIT_INVALID"
