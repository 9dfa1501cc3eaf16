"""Captions: who may write them, writing them, and the last ten minutes of each language for who comes late."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.limits import TokenBuckets
from services.common.sight.log import get_logger
from services.room_directory.app.live import Changed, LiveRooms
from services.room_directory.app.people import People
from services.room_directory.app.ports import Act, CaptionTeller, Counters, Limits
from services.room_directory.domain import captions
from services.room_directory.domain.caption_ring import Caption, CaptionRing, Name, Words
from services.room_directory.domain.errors import RateLimited, RoomMoves
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Captioner
from services.room_directory.domain.texts import clean_caption, clean_correction

_MOST_RINGS = 10_000
"""Of all rooms together: a few for each live room that has captions."""

_log = get_logger("captions")


class CaptionRings:
    """The captions of every room, in memory alone: of this copy's rooms, and of others' as they are told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rings: dict[tuple[str, str], CaptionRing] = {}

    def of(self, room_id: str, language: str) -> CaptionRing:
        """The captions of a language, without what is over."""
        ring = self._rings.get((room_id, language))
        if ring is None:
            while len(self._rings) >= _MOST_RINGS:
                del self._rings[next(iter(self._rings))]
            ring = self._rings[room_id, language] = CaptionRing(language)
        ring.expire(self._clock.now())
        return ring

    def of_room(self, room_id: str) -> list[CaptionRing]:
        """One for each language in which somebody wrote lately."""
        return [ring for (place, _), ring in self._rings.items() if place == room_id]

    async def hear(self, room_id: str, caption: Caption) -> None:
        """Takes in what the owner of a room told of it."""
        self.of(room_id, caption.language).merge(caption)

    async def forget(self) -> None:
        """Forgets what is over; call it every few seconds."""
        now = self._clock.now()
        for key, ring in list(self._rings.items()):
            ring.expire(now)
            if not ring:
                del self._rings[key]

    def __len__(self) -> int:
        return sum(map(len, self._rings.values()))


class CaptionCases:
    """Use cases about captions. Words are in no table, and in no line of the log."""

    def __init__(
        self,
        rooms: LiveRooms,
        people: People,
        tell: CaptionTeller,
        counters: Counters,
        *,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self.rings = CaptionRings(clock)
        self._rooms = rooms
        self._people = people
        self._tell = tell
        self._clock = clock
        self._counters = counters
        self._rate = TokenBuckets(limits.captions_at_once, limits.captions_per_second)

    async def grant(self, actor: Actor, room_id: str, user_id: str, language: str) -> Captioner:
        """Lets a person write. Raises NotAllowed, PersonNotFound, LanguageInvalid, TooManyCaptioners."""
        await self._people.require(user_id)
        now = self._clock.now()
        act = Act(actor.user_id, "grant_captioning", room_id, {"person": user_id, "language": language})
        changed: Changed[None] = await self._rooms.change(
            room_id, act, lambda room, _: captions.grant(room, actor, user_id, language, now)
        )
        return changed.room.captioners[user_id]

    async def revoke(self, actor: Actor, room_id: str, user_id: str, language: str) -> bool:
        """Takes that back. Says whether that could not be written. Raises NotAllowed."""
        now = self._clock.now()
        detail = {"person": user_id, "language": language}
        act = Act(actor.user_id, "revoke_captioning", room_id, detail, goes_on=True)
        changed: Changed[None] = await self._rooms.change(
            room_id, act, lambda room, _: captions.revoke(room, actor, user_id, language, now)
        )
        await self._hide_unfinished(changed.room, user_id, language)
        return changed.unsaved

    async def mute(self, actor: Actor, room_id: str, user_id: str, *, muted: bool) -> bool:
        """Keeps a captioner from writing, or lets them. Says whether that could not be written.

        Raises NotAllowed, NotCaptioner.
        """
        now = self._clock.now()
        action = "mute_captioner" if muted else "unmute_captioner"
        act = Act(actor.user_id, action, room_id, {"person": user_id}, goes_on=True)
        changed: Changed[None] = await self._rooms.change(
            room_id, act, lambda room, _: captions.mute(room, actor, user_id, muted=muted, now=now)
        )
        if muted:
            await self._hide_unfinished(changed.room, user_id)
        return changed.unsaved

    async def send(self, actor: Actor, room_id: str, language: str, words: Words) -> Caption:
        """Writes a caption of the caller's.

        Raises NotInRoom, NotCaptioner, CaptionerMuted, CaptionFinal, RateLimited, FieldInvalid.
        """
        with self._counted():
            room = await self._own(room_id)
            captions.require_writer(room, actor.user_id, language)
            self._pace(actor)
            words = self._known(room, words)
            caption, is_news = self.rings.of(room_id, language).write(actor.user_id, words, self._clock.now())
        if is_news:
            self._counters.captioned("hidden" if caption.hidden else "final" if caption.final else "interim")
            await self._tell(room_id, room.term, caption)
        return caption

    async def correct(self, actor: Actor, room_id: str, language: str, *, name: Name, text: str) -> Caption:
        """Changes the words of a final caption.

        Raises NotAllowed, CaptionUnknown, RateLimited, FieldInvalid, and what keeps a writer from writing.
        """
        with self._counted():
            room = await self._own(room_id)
            captions.require_editor(room, actor, name[0], language)
            self._pace(actor)
            ring = self.rings.of(room_id, language)
            caption, is_news = ring.correct(name, clean_correction(text), self._clock.now())
        if is_news:
            self._counters.captioned("corrected")
            _log.info("caption corrected", room_id=room_id, by=actor.user_id, writer=name[0])
            await self._tell(room_id, room.term, caption)
        return caption

    async def hide(self, actor: Actor, room_id: str, language: str, *, name: Name) -> None:
        """Takes a caption out for everybody. Raises NotAllowed, NotInRoom, CaptionUnknown."""
        with self._counted():
            room = await self._own(room_id)
            captions.require_hider(room, actor, name[0])
            hidden = self.rings.of(room_id, language).hide(name, self._clock.now())
        if hidden is not None:
            self._counters.captioned("hidden")
            _log.info("caption hidden", room_id=room_id, by=actor.user_id, writer=name[0])
            await self._tell(room_id, room.term, hidden)

    async def sync(self, room_id: str, language: str, known: Iterable[Caption]) -> tuple[list[Caption], int]:
        """What there is of a language, with what a gateway still has of it; and the term of the room's owner.

        What is news here is told to all: other gateways may lack it too.
        """
        room = await self._own(room_id)
        ring = self.rings.of(room_id, language)
        news = [caption for caption in known if caption.language == language and ring.merge(caption)]
        ring.expire(self._clock.now())
        for caption in news:
            if ring.get(caption.name) is caption:
                await self._tell(room_id, room.term, caption)
        return list(ring), room.term

    async def _own(self, room_id: str) -> Room:
        """A room that is this copy's to decide about. Raises RoomNotFound, RoomEnded, RoomMoves."""
        live = await self._rooms.find(room_id)
        if not self._rooms.may_go_on(live):
            raise RoomMoves
        live.room.require_live()
        return live.room

    def _pace(self, actor: Actor) -> None:
        wait = self._rate.take(actor.user_id, self._clock.monotonic())
        if wait:
            raise RateLimited("captions are written less often", retry_after_seconds=wait)

    def _known(self, room: Room, words: Words) -> Words:
        """The words, cleaned, with the name of who said them, if they are here."""
        speaker_id = words.speaker_id if words.speaker_id in room.seats or words.speaker_id in room.stage else ""
        name = self._people.known((speaker_id,))[speaker_id].display_name if speaker_id else ""
        return Words(
            caption_id=words.caption_id,
            text=clean_caption(words.text),
            final=words.final,
            speaker_id=speaker_id,
            speaker_name=name,
            spoken_at=words.spoken_at,
        )

    async def _hide_unfinished(self, room: Room, user_id: str, language: str = "") -> None:
        now = self._clock.now()
        for ring in self.rings.of_room(room.room_id):
            if language in ("", ring.language):
                for caption in ring.hide_unfinished(user_id, now):
                    await self._tell(room.room_id, room.term, caption)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except DomainError as error:
            self._counters.captioned(error.reason)
            raise
