"""Tells who waits before the doors, and closed the page, of their turn by a letter."""

from datetime import datetime

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.common.store.database import retry_conflicts
from services.invite.app.doors import Doorkeeper
from services.invite.app.invitations import Rules
from services.invite.app.ports import Counters, Limits, Post, Store, Tx, Visitor
from services.invite.domain import limits as rates
from services.invite.domain.codes import code_hash
from services.invite.domain.errors import LettersSpent, LettersUnavailable, NotInLine
from services.invite.domain.letters import (
    AT_ONCE,
    KEPT,
    MOST_LETTERS,
    SILENT,
    TRIED_AGAIN,
    Letter,
    due,
    letter_address,
)

# The address is one that no letter goes to: trying again changes nothing.
_DEFINITE = frozenset({"resource_exhausted", "invalid_argument"})

_log = get_logger("letters")


class TurnLetters:
    """Addresses left with places, and the letters that go there.

    One a turn, and few in all by one code; the address is forgotten with the letter, or with the place.
    """

    def __init__(
        self,
        *,
        store: Store,
        doors: Doorkeeper,
        post: Post,
        limits: Limits,
        clock: Clock,
        counters: Counters,
        rules: Rules,
    ) -> None:
        self._store = store
        self._doors = doors
        self._post = post
        self._limits = limits
        self._clock = clock
        self._counters = counters
        self._rules = rules

    async def leave(self, code: str, email: str, locale: str, visitor: Visitor) -> None:
        """Where the letter goes when it is the code's turn; empty takes the address back.

        Raises FieldInvalid, LettersUnavailable, LettersSpent, RateLimited, and as a look at the place does.
        """
        address = letter_address(email) if email else ""
        if address and not self._post.can_deliver:
            raise LettersUnavailable("this server sends no letters just now: keep the page open, or come back")
        invitation = await self._doors.check_in_line(code_hash(code), visitor)
        if address:
            self._limits.take(rates.ADDRESSES_PER_PLACE, invitation.invitation_id)
            self._limits.take(rates.ADDRESSES_PER_NETWORK, visitor.network)
        # Without the secret that codes derive from no letter could say the way back.
        if address and code_hash(self._rules.code_of(invitation.invitation_id)) != invitation.code_hash:
            raise LettersUnavailable("this invitation's link cannot be written: keep the page open, or come back")
        await self._leave(invitation.invitation_id, address, locale or "en")

    async def round(self) -> None:
        """Writes to those whose turn has come while their pages are closed; call it each second or two."""
        await self._post.refresh()
        if not self._post.can_deliver:
            return
        async with self._store.read() as tx:
            at = await tx.moment(self._clock.now())
            if not await tx.silent(at, at - SILENT, at - TRIED_AGAIN, 1):
                return
        for letter in await self._begin():
            await self._send(letter)

    @retry_conflicts()
    async def _leave(self, invitation_id: str, address: str, locale: str) -> None:
        async with self._store.write() as tx:
            if address and await tx.letters_sent(invitation_id) >= MOST_LETTERS:
                raise LettersSpent("no more letters are sent by this invitation")
            at = await tx.moment(self._clock.now())
            if not await tx.leave_address(invitation_id, address, locale, at):
                raise NotInLine("this invitation has no place in the line; redeem it")

    @retry_conflicts()
    async def _begin(self) -> list[Letter]:
        """The letters that are due; the doors are held, so that copies together write no more than may come."""
        async with self._store.write() as tx:
            override = await tx.lock_doors()
            at = await tx.moment(self._clock.now())
            pace = self._doors.pace(override, at)
            entered = await tx.entered(at, pace.seconds, pace.slice_seconds)
            told = await tx.told(at, pace.seconds, pace.slice_seconds)
            silent = await tx.silent(at, at - SILENT, at - TRIED_AGAIN, AT_ONCE)
            line = await self._doors.line_at(tx, at)
            count = due(pace, entered, told, [number for number, _ in silent], line.ahead_of)
            begun = [await self._one(tx, invitation_id, at) for _, invitation_id in silent[:count]]
        return [letter for letter in begun if letter is not None]

    async def _one(self, tx: Tx, invitation_id: str, at: datetime) -> Letter | None:
        """A code may have had its last letter while the next address was left."""
        if await tx.letters_sent(invitation_id) < MOST_LETTERS:
            return await tx.begin_letter(invitation_id, at, at + KEPT)
        await tx.leave_address(invitation_id, "", "", at)
        return None

    async def _send(self, letter: Letter) -> None:
        """A letter that was refused for good, as one too many for its address, counts as sent."""
        link = self._rules.link_of(letter.invitation_id)
        try:
            await self._post.send_turn(letter.address, letter.locale, link, int(KEPT.total_seconds() // 60))
        except DomainError as refusal:
            self._counters.invitations("letter_refused")
            _log.warning("a letter about a turn was not taken", reason=refusal.reason)
            if refusal.kind not in _DEFINITE:
                return
            sent = False
        else:
            self._counters.invitations("letter_sent")
            sent = True
        async with self._store.write() as tx:
            await tx.end_letter(letter, sent=sent)
