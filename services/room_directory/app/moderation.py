"""Who may be in a room, reports and blocks, and accounts that are closed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from services.common.clock import Clock
from services.common.errors import StorageUnavailable
from services.common.limits import TokenBuckets
from services.common.text.folding import matches
from services.room_directory.app.blocks import Blocks
from services.room_directory.app.live import Changed, Decide, LiveRooms, TakeEpoch
from services.room_directory.app.people import People
from services.room_directory.app.ports import Act, Alone, Ids, Ledger, Limits, Neighbours, ReportRecord
from services.room_directory.domain import moderation
from services.room_directory.domain.ended import Ended, EndedSignIns
from services.room_directory.domain.entry import end_sessions, end_sign_in, expel
from services.room_directory.domain.errors import (
    NotInRoom,
    PersonNotFound,
    RateLimited,
    ReportNotFound,
    RoomEnded,
    RoomNotFound,
)
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action, Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Hand, RoomState
from services.room_directory.domain.texts import clean_report

_MOST_UNWRITTEN = 1000
"""Blocks that may wait to be written."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """What came of a block."""

    rooms: tuple[tuple[str, str], ...]
    """Id and title of each room that the caller leads and the person is in: a block puts nobody out."""
    unsaved: bool


class ModerationCases:
    """Use cases about who may be where."""

    def __init__(
        self,
        rooms: LiveRooms,
        ledger: Ledger,
        people: People,
        blocks: Blocks,
        ended: EndedSignIns,
        *,
        ids: Ids,
        clock: Clock,
        limits: Limits,
        told: Callable[[str, str, str], None] = lambda *_: None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """`told` hears of those who redeemed an invitation to a room: room, person, who invited."""
        self._told = told
        self._neighbours: Neighbours = neighbours or Alone()
        self._rooms = rooms
        self._ledger = ledger
        self._people = people
        self._blocks = blocks
        self._ended = ended
        self._unwritten: dict[tuple[str, str], Act] = {}
        self._ids = ids
        self._clock = clock
        self._roster_rate = TokenBuckets(limits.rosters_per_minute, limits.rosters_per_minute / 60.0)
        self._report_rate = TokenBuckets(limits.reports_per_hour, limits.reports_per_hour / 3600.0)

    # In a room.

    async def remove_person(self, actor: Actor, room_id: str, user_id: str) -> bool:
        """Puts somebody out; they cannot return. Says whether that could not be written. Raises NotAllowed."""
        now = self._clock.now()
        changed: Changed[None] = await self._rooms.enforce(
            room_id,
            Act(actor.user_id, "remove_person", room_id, {"person": user_id}, goes_on=True),
            lambda room, take_epoch: moderation.remove_person(room, actor, user_id, epoch=take_epoch(), now=now),
        )
        return changed.unsaved

    async def readmit_person(self, actor: Actor, room_id: str, user_id: str) -> None:
        """Lets a removed person come back. Raises NotAllowed."""
        act = Act(actor.user_id, "readmit_person", room_id, {"person": user_id})
        await self._rooms.change(room_id, act, lambda room, _: moderation.readmit_person(room, actor, user_id))

    async def add_guest(self, actor: Actor, room_id: str, handle: str) -> None:
        """Lets a person into a closed room, by handle. Raises NotAllowed, PersonNotFound."""
        (await self._rooms.find(room_id)).room.require(actor, Action.ADD_GUEST)
        person = await self._people.find_by_handle(handle.strip().removeprefix("@").lower())
        if person is None:
            raise PersonNotFound
        now = self._clock.now()
        act = Act(actor.user_id, "add_guest", room_id, {"person": person.user_id})
        await self._rooms.change(room_id, act, lambda room, _: moderation.add_guest(room, actor, person.user_id, now))

    async def list_roster(
        self, actor: Actor, room_id: str, *, query: str, offset: int, limit: int
    ) -> tuple[list[tuple[str, Role, Hand | None]], int | None]:
        """Everyone in the room, stage first, as (person, role, hand); and where the next page begins.

        Whose hands are up is the moderators' to know. Raises NotAllowed, and RateLimited for anybody else.
        """
        room = (await self._rooms.find(room_id)).room
        room.require(actor, Action.LIST_ROSTER)
        leads = room.is_moderator(actor.user_id)
        wait = 0.0 if leads else self._roster_rate.take(actor.user_id, self._clock.monotonic())
        if wait:
            raise RateLimited("the list of who is here is limited", retry_after_seconds=wait)
        order = [seat.user_id for seat in room.stage_in_order()]
        order += [user_id for user_id in room.seats if user_id not in room.stage]
        if query:
            order = await self._matching(order, query.strip().removeprefix("@"))
        page, more = order[offset : offset + limit], offset + limit
        await self._people.get(page)
        entries = [(user_id, room.role_of(user_id), room.hands.get(user_id) if leads else None) for user_id in page]
        return entries, more if more < len(order) else None

    async def _matching(self, user_ids: list[str], query: str) -> list[str]:
        people = await self._people.get(user_ids)
        return [user_id for user_id in user_ids if matches(query, people[user_id].handle, people[user_id].display_name)]

    # Reports.

    async def report_person(self, actor: Actor, room_id: str, user_id: str, *, kind: str, text: str) -> str:
        """Reports a person of a room to the operators; returns the report's id.

        Raises RoomNotFound, FieldInvalid, RateLimited.
        """
        text = clean_report("text", text)
        live = self._rooms.get(room_id)
        room = live.room if live is not None else await self._rooms.recall(room_id)
        if room.state is not RoomState.ENDED:
            # Another copy's, where who is in it is known.
            room = (await self._rooms.find(room_id)).room
        if live is not None and room.role_of(actor.user_id) is Role.OUTSIDE and actor.user_id not in room.gone:
            raise NotInRoom
        wait = self._report_rate.take(actor.user_id, self._clock.monotonic())
        if wait:
            raise RateLimited("reports are limited", retry_after_seconds=wait)
        report = ReportRecord(
            report_id=self._ids.new_id(),
            room_id=room_id,
            room_title=room.title,
            reporter_id=actor.user_id,
            subject_id=user_id,
            kind=kind,
            text=text,
            created_at=self._clock.now(),
        )
        await self._ledger.add_report(report, Act(actor.user_id, "report_person", room_id, {"person": user_id}))
        return report.report_id

    async def list_reports(
        self, *, open_only: bool, limit: int, before: tuple[datetime, str] | None
    ) -> list[ReportRecord]:
        """Reports, newest first."""
        reports = await self._ledger.reports(open_only=open_only, limit=limit, before=before)
        await self._people.get(person for report in reports for person in (report.reporter_id, report.subject_id))
        return reports

    async def resolve_report(self, actor: Actor, report_id: str, resolution: str) -> None:
        """Closes a report with a note. Raises ReportNotFound, FieldInvalid."""
        act = Act(actor.user_id, "resolve_report", report_id)
        if not await self._ledger.resolve_report(report_id, clean_report("resolution", resolution), act):
            raise ReportNotFound

    # Blocks.

    async def block_person(self, actor: Actor, user_id: str) -> Blocked:
        """Keeps a person out of the rooms the caller leads, and says in which of them they are now.

        Raises PersonNotFound.
        """
        pair = (actor.user_id, user_id)
        if not self._blocks.has(*pair):
            await self._people.require(user_id)
            act = Act(actor.user_id, "block_person", user_id, goes_on=True)
            try:
                await self._ledger.block(*pair, act)
            except StorageUnavailable:
                if len(self._unwritten) >= _MOST_UNWRITTEN:
                    raise
                self._unwritten[pair] = act
        here = self.note_block(*pair, stands=True)
        elsewhere = await self._neighbours.note_block(*pair, stands=True)
        return Blocked((*here, *elsewhere), unsaved=pair in self._unwritten)

    def note_block(self, blocker_id: str, blocked_id: str, *, stands: bool) -> list[tuple[str, str]]:
        """Takes in how it is with a pair; returns id and title of each room here that has both, led by the blocker."""
        self._blocks.note(blocker_id, blocked_id, stands=stands)
        here = [live.room for live in self._rooms if self._leads_with(live.room, blocker_id, blocked_id)]
        return [(room.room_id, room.title) for room in here]

    @staticmethod
    def _leads_with(room: Room, leader_id: str, user_id: str) -> bool:
        return room.is_moderator(leader_id) and (user_id in room.seats or user_id in room.stage)

    async def unblock_person(self, actor: Actor, user_id: str) -> None:
        """Lifts a block."""
        await self._ledger.unblock(actor.user_id, user_id, Act(actor.user_id, "unblock_person", user_id))
        self._unwritten.pop((actor.user_id, user_id), None)
        self._blocks.note(actor.user_id, user_id, stands=False)
        await self._neighbours.note_block(actor.user_id, user_id, stands=False)

    async def write_waiting(self) -> None:
        """Writes blocks that could not be written when they were made. Raises StorageUnavailable."""
        for pair, act in list(self._unwritten.items()):
            await self._ledger.block(*pair, act)
            self._unwritten.pop(pair, None)

    async def list_blocked(self, actor: Actor) -> list[str]:
        """Whom the caller blocked, newest first."""
        blocked = self._blocks.of(actor.user_id)
        await self._people.get(blocked)
        return blocked

    # Facts of other services.

    async def account_closed(self, closed: Ended, action: str) -> None:
        """Takes a suspended or deleted account out of every room."""
        user_id = closed.user_id
        self._ended.note(closed)
        for live in self._rooms:
            if user_id in live.room.seats or user_id in live.room.stage:
                await self._expel(live.room.room_id, closed, action)
        if action == "account_deleted":
            await self._ledger.forget_person(user_id, Act("auth", action, user_id))
            self._blocks.forget(user_id)
            self._people.drop(user_id)

    async def _expel(self, room_id: str, closed: Ended, action: str) -> None:
        now = self._clock.now()
        act = Act("auth", action, room_id, {"person": closed.user_id}, goes_on=True)
        await self._change_if_live(
            room_id,
            act,
            lambda room, take_epoch: expel(room, closed.user_id, closed, epoch=take_epoch(), now=now),
        )

    async def signed_out(self, ended: Ended, *, again: bool = False) -> None:
        """Ends what was taken by a sign-in that has ended, or by all of a person's; seats of others stay.

        With `again` this is news from before a start: what was taken by nobody knows which sign-in is left alone.
        """
        user_id, now = ended.user_id, self._clock.now()
        self._ended.note(ended)

        def decide(room: Room, take_epoch: TakeEpoch) -> None:
            end_sign_in(room, user_id, ended, epoch=take_epoch(), now=now)

        for live in self._rooms:
            seat = live.room.seats.get(user_id)
            if seat is None or (again and not self._ended.has_ended(user_id, seat.proof)):
                if seat is not None and ended.sign_in_id:
                    await self._end_sessions(live.room.room_id, ended)
                continue
            act = Act("auth", "signed_out", live.room.room_id, {"person": user_id}, goes_on=True)
            await self._change_if_live(live.room.room_id, act, decide)

    async def _end_sessions(self, room_id: str, ended: Ended) -> None:
        """Tells relays alone: sessions that were opened beside a seat."""
        act = Act("auth", "signed_out", room_id, {"person": ended.user_id}, goes_on=True)
        await self._change_if_live(room_id, act, lambda room, _: end_sessions(room, ended))

    async def _change_if_live(self, room_id: str, act: Act, decide: Decide[None]) -> None:
        """One room that just ended must not keep a person's other rooms waiting."""
        with suppress(RoomEnded, RoomNotFound):
            await self._rooms.change(room_id, act, decide)

    async def profile_changed(self, user_id: str) -> None:
        """Shows a person's new name where their stage seat or room is watched."""
        self._people.drop(user_id)
        now = self._clock.now()
        for live in self._rooms:
            if user_id in live.room.stage or user_id == live.room.creator_id:
                act = Act("auth", "profile_changed", live.room.room_id, {"person": user_id}, goes_on=True)
                await self._rooms.change(live.room.room_id, act, lambda room, _: moderation.renamed(room, user_id, now))

    async def invited_into(self, room_id: str, user_id: str, inviter_id: str) -> None:
        """Makes somebody who redeemed an invitation to a room its guest, if who invited may let people in there."""
        now = self._clock.now()

        def decide(room: Room, _: object) -> None:
            # Anybody can put a room's id into an invitation of theirs: that opens no closed door.
            if room.is_moderator(inviter_id) or room.creator_id == inviter_id:
                moderation.ask_in(room, user_id, now)

        self._told(room_id, user_id, inviter_id)
        if self._rooms.get(room_id) is not None:
            await self._rooms.change(
                room_id, Act("invite", "invitation_redeemed", room_id, {"person": user_id}), decide
            )
