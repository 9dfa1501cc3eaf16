"""Who waits before the doors and closed the page hears of the turn by one letter; nobody floods strangers by it."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from services.common.errors import FieldInvalid, PartUnavailable
from services.common.limits import RateLimits
from services.invite.app.invitations import Rules
from services.invite.app.letters import TurnLetters
from services.invite.app.ports import Visitor
from services.invite.domain.errors import (
    InvitationInvalid,
    LettersSpent,
    LettersUnavailable,
    NotInLine,
    RateLimited,
    too_often,
)
from services.invite.domain.letters import MOST_LETTERS
from services.invite.messages import encode
from services.invite.storage import SqlStore
from services.invite.storage.tables import places
from tests.integration.invite.conftest import CODE_SECRET, Door
from tests.integration.invite.copies import Copies, came, codes_of, report

VISITOR = Visitor("10.9.9.0/24")

LINA = "lina@example.org"


class Desk:
    """Letters of two copies of invite."""

    def __init__(self, door: Door, copies: Copies, secret: bytes = CODE_SECRET) -> None:
        self.door, self.copies = door, copies
        counters = copies.counters
        rules = Rules(2, timedelta(days=30), "http://localhost:8080", secret)
        self.letters = [
            TurnLetters(
                store=SqlStore(door.database, encode),
                doors=doors,
                post=door.post,
                limits=RateLimits(door.clock.monotonic, counters.rate_limited, too_often),
                clock=door.clock,
                counters=counters,
                rules=rules,
            )
            for doors in copies.doors
        ]

    async def waits(self, code: str, address: str = LINA, locale: str = "en") -> None:
        """Somebody takes a place before doors that are paused, and leaves an address."""
        await self.copies.come([code])
        await self.letters[0].leave(code, address, locale, VISITOR)

    async def pages_are_closed(self) -> None:
        await self.set_back(present_until=timedelta(minutes=2), looked_at=timedelta(minutes=2))

    async def letters_went_long_ago(self) -> None:
        await self.set_back(letter_at=timedelta(hours=1))

    async def addresses(self) -> list[str]:
        async with self.door.database.read() as session:
            return list(await session.scalars(select(places.c.letter_to).order_by(places.c.number)))

    async def rounds(self) -> list[str]:
        """Where letters went, when every copy looked twice."""
        before = len(self.door.post.sent)
        for letters in [*self.letters, *self.letters]:
            await letters.round()
        return [letter.address for letter in self.door.post.sent[before:]]

    async def set_back(self, **ago: timedelta) -> None:
        async with SqlStore(self.door.database, encode).read() as tx:
            at = await tx.moment(self.door.clock.now())
        async with self.door.database.write() as session:
            await session.execute(update(places).values({name: at - span for name, span in ago.items()}))


@pytest.fixture
def copies(door: Door) -> Copies:
    return Copies(door, 2)


@pytest.fixture
def desk(door: Door, copies: Copies) -> Desk:
    copies.hear(report(0))
    return Desk(door, copies)


async def test_who_closed_the_page_gets_one_letter_with_the_way_back_when_it_is_the_turn(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code, locale="ar")
    await desk.pages_are_closed()
    assert await desk.rounds() == [], "doors are paused"
    desk.copies.hear(report(90))
    assert await desk.rounds() == [LINA]
    (letter,) = desk.door.post.sent
    assert (letter.locale, letter.link, letter.minutes) == ("ar", f"http://localhost:8080/i/{code}", 10)
    await desk.letters_went_long_ago()
    assert await desk.rounds() == []
    assert await desk.addresses() == [""], "the address went with the letter"
    desk.door.clock.advance(2)
    place, _ = await desk.copies.doors[1].get_place(code, VISITOR)
    assert (place.letter, place.letter_sent) == (False, True), "who comes back is told that it went"
    assert came(await desk.copies.come([code])) == [0]


async def test_page_that_looks_is_told_on_the_page_alone(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code)
    desk.copies.hear(report(90))
    assert await desk.rounds() == []


async def test_no_more_are_written_to_than_may_come_and_first_come_first(desk: Desk) -> None:
    codes = await codes_of(desk.door, 4)
    for number, code in enumerate(codes):
        await desk.waits(code, f"guest{number}@example.org")
    await desk.pages_are_closed()
    # One a slice.
    desk.copies.hear(report(90))
    assert await desk.rounds() == ["guest0@example.org"]
    await desk.letters_went_long_ago()
    assert await desk.rounds() == ["guest1@example.org"]


async def test_who_was_written_to_holds_nobody_up_and_keeps_the_place(desk: Desk) -> None:
    away, here = await codes_of(desk.door, 2)
    await desk.waits(away)
    await desk.pages_are_closed()
    await desk.copies.come([here])
    desk.copies.hear(report(90))
    assert await desk.rounds() == [LINA]
    assert came(await desk.copies.come([here])) == [0]
    desk.door.clock.advance(2)
    place, _ = await desk.copies.doors[1].get_place(away, VISITOR)
    assert place.ticket.place == 1


async def test_place_that_would_end_is_kept_ten_minutes_from_the_letter_on(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code)
    await desk.pages_are_closed()
    await desk.set_back(kept_until=timedelta(seconds=-5))
    desk.copies.hear(report(90))
    assert await desk.rounds() == [LINA]
    async with desk.door.database.read() as session:
        row = (await session.execute(select(places.c.kept_until, places.c.letter_at))).one()
    assert row.kept_until - row.letter_at == timedelta(minutes=10)


async def test_code_sends_two_letters_in_all_and_then_says_so(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.copies.come([code])
    for number in range(MOST_LETTERS):
        await desk.letters[1].leave(code, f"stranger{number}@example.org", "", VISITOR)
        await desk.pages_are_closed()
        await desk.letters_went_long_ago()
        desk.copies.hear(report(90))
        assert await desk.rounds() == [f"stranger{number}@example.org"]
    with pytest.raises(LettersSpent):
        await desk.letters[0].leave(code, "stranger9@example.org", "", VISITOR)


async def test_only_the_last_address_counts_and_it_can_be_taken_back(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code, "typo@example.org")
    await desk.letters[0].leave(code, LINA, "", VISITOR)
    assert await desk.addresses() == [LINA]
    desk.door.clock.advance(2)
    assert (await desk.copies.doors[0].get_place(code, VISITOR))[0].letter
    await desk.letters[1].leave(code, "", "", VISITOR)
    assert await desk.addresses() == [""]
    await desk.pages_are_closed()
    desk.copies.hear(report(90))
    assert await desk.rounds() == []


async def test_letter_that_auth_cannot_take_now_goes_out_later(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code)
    await desk.pages_are_closed()
    desk.copies.hear(report(90))
    desk.door.post.refusal = PartUnavailable("auth cannot be reached")
    assert await desk.rounds() == []
    desk.door.post.refusal = None
    assert await desk.rounds() == [], "not at once"
    await desk.letters_went_long_ago()
    assert await desk.rounds() == [LINA]


async def test_address_that_gets_too_much_is_given_up(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code)
    await desk.pages_are_closed()
    desk.copies.hear(report(90))
    desk.door.post.refusal = too_often(60)
    await desk.rounds()
    assert await desk.addresses() == [""]
    desk.door.clock.advance(2)
    place, _ = await desk.copies.doors[0].get_place(code, VISITOR)
    assert not place.letter_sent, "nobody is told of a letter that never went"


@pytest.mark.parametrize(
    "junk",
    ["lina", "lina@", "@example.org", "lina@example", "a b@example.org", "a@b.org\nBcc: x@y.org", "x" * 250 + "@y.org"],
)
async def test_junk_is_refused_with_the_field_and_changes_nothing(desk: Desk, junk: str) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code)
    with pytest.raises(FieldInvalid) as refusal:
        await desk.letters[0].leave(code, junk, "en", VISITOR)
    assert refusal.value.fields[0][0] == "email"
    assert await desk.addresses() == [LINA]


async def test_only_a_code_that_waits_can_have_a_letter_sent(desk: Desk) -> None:
    _, code = await desk.door.invite()
    with pytest.raises(NotInLine):
        await desk.letters[0].leave(code, LINA, "en", VISITOR)
    with pytest.raises(InvitationInvalid):
        await desk.letters[0].leave("madeupmadeup", LINA, "en", VISITOR)


async def test_a_whole_hall_behind_one_address_leaves_its_addresses(desk: Desk) -> None:
    network = Visitor("10.1.1.0/24")
    for number, code in enumerate(await codes_of(desk.door, 40)):
        await desk.copies.come([code])
        await desk.letters[0].leave(code, f"g{number}@example.org", "en", network)
    assert len(await desk.addresses()) == 40


async def test_place_that_is_given_address_after_address_is_slowed(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.waits(code)
    network = Visitor("10.1.1.0/24")
    for number in range(4):
        await desk.letters[0].leave(code, f"g{number}@example.org", "en", network)
    with pytest.raises(RateLimited):
        await desk.letters[0].leave(code, "one_more@example.org", "en", Visitor("10.1.2.0/24"))
    await desk.letters[0].leave(code, "", "en", network)
    assert await desk.addresses() == [""], "an address is taken back however many were left"


async def test_server_without_mail_says_so_and_does_not_offer_it(desk: Desk) -> None:
    _, code = await desk.door.invite()
    await desk.copies.come([code])
    assert (await desk.copies.doors[0].get_doors()).letters
    desk.door.post.can_deliver = False
    assert not (await desk.copies.doors[0].get_doors()).letters
    with pytest.raises(LettersUnavailable):
        await desk.letters[0].leave(code, LINA, "en", VISITOR)


async def test_link_that_cannot_be_written_any_more_is_not_promised(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    _, code = await door.invite()
    with pytest.raises(LettersUnavailable):
        await Desk(door, copies, b"another secret than the codes'..").waits(code)


async def test_nothing_of_the_address_is_left_after_entry_or_the_places_end(desk: Desk) -> None:
    (first_id, first), (_, second) = await desk.door.invite(), await desk.door.invite()
    await desk.waits(first)
    await desk.waits(second, "omar@example.org")
    await desk.door.invitations.revoke(desk.door.owner, first_id)
    await desk.copies.doors[0].sweep()
    assert await desk.addresses() == ["omar@example.org"]
    desk.copies.hear(report(900))
    assert came(await desk.copies.come([second])) == [0]
    assert await desk.addresses() == []
    assert not any("example.org" in str(row.detail) for row in await desk.door.audited())
