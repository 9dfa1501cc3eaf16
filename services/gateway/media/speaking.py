"""Who speaks over HTTPS: sound goes from here to the relay of the stage, and what becomes of it comes back."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import grpc
from majlis.media_relay.v1 import uplink_service_pb2 as pb
from majlis.media_relay.v1 import uplink_service_pb2_grpc as pb_grpc
from majlis.room_directory.v1 import sessions_pb2

from services.common.errors import DomainError, Draining, PartUnavailable
from services.common.rpc.client import raise_for
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.gateway.domain.errors import TooManyStreams
from services.gateway.media.permits import PermitClaims
from services.gateway.reasons import refuse
from services.gateway.settings import Settings
from services.programme.sounds import Sound

MOST_KEPT_BYTES: Final = 64 * 1024
MOST_KEPT: Final = 200
"""Packets that may wait for the relay; the oldest give way."""
_AT_ONCE: Final = 100
_GATHER_SECONDS: Final = 0.02
_LIFE_SECONDS: Final = 1.0
_OPEN_SECONDS: Final = 5.0
_PUT_SECONDS: Final = 2.0
_COME_BACK_SECONDS: Final = 10.0
_ENDS: Final[dict[int, tuple[str, str]]] = {
    sessions_pb2.SESSION_CAUSE_DELETED: ("SESSION_NOT_FOUND", "the session was closed"),
    sessions_pb2.SESSION_CAUSE_EXPIRED: ("SESSION_NOT_FOUND", "nothing came for too long"),
    sessions_pb2.SESSION_CAUSE_SEAT_ENDED: ("SEAT_ENDED", "the place on stage has ended, or another device has it"),
    sessions_pb2.SESSION_CAUSE_DRAINING: ("RELAY_DRAINING", "the relay is being emptied: ask for a new permit"),
}
_FAILED: Final = ("PART_UNAVAILABLE", "the relay of the stage is gone: ask for a new permit")


class Relays(Protocol):
    """Where relays take microphones."""

    async def uplink_at(self, address: str) -> "pb_grpc.UplinkServiceAsyncStub":
        """The relay at host:port."""
        ...


class Permits(Protocol):
    """What is needed of the media sessions."""

    async def stage_permit(self, room_id: str, shown: str, network: str, understands: str) -> tuple[str, PermitClaims]:
        """A permit for the stage: the one shown, or one for the bearer of the token shown."""
        ...

    async def address_of(self, relay_id: str) -> str:
        """Where a relay is reached."""
        ...


class Uplink:
    """One microphone on its way to the relay."""

    def __init__(self, claims: PermitClaims, network: str, opened: pb.SpeakOpened) -> None:
        self.room_id = claims.room_id
        self.user_id = claims.user_id
        self.booth = claims.booth
        self.relay_id = claims.relay_id
        self.network = network
        self.session_id: str = opened.session_id
        self.member: int = opened.member
        self.muted: bool = opened.muted
        self.ended: DomainError | None = None
        self.dropped = 0
        """Packets that gave way because the relay took none in time."""
        self._kept: deque[Sound] = deque()
        self._kept_bytes = 0
        self._more = asyncio.Event()
        self._news = asyncio.Event()

    def put(self, sounds: Sequence[Sound]) -> None:
        """Sends packets on; those that were kept longest give way to more than fit. Raises why the session is over."""
        if self.ended is not None:
            raise self.ended
        for sound in sounds:
            self._kept.append(sound)
            self._kept_bytes += len(sound[1])
        while len(self._kept) > MOST_KEPT or self._kept_bytes > MOST_KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft()[1])
            self.dropped += 1
        self._more.set()

    async def take(self) -> list[Sound]:
        """What is to go on next; nothing when a sign of life is due."""
        if not self._kept:
            self._more.clear()
            try:
                async with asyncio.timeout(_LIFE_SECONDS):
                    await self._more.wait()
            except TimeoutError:
                return []
        taken = [self._kept.popleft() for _ in range(min(_AT_ONCE, len(self._kept)))]
        self._kept_bytes -= sum(len(packet) for _, packet in taken)
        return taken

    async def news(self) -> None:
        """Returns when it was muted, unmuted or ended since."""
        await self._news.wait()
        self._news.clear()

    def note(self, told: pb.SpeakResponse) -> None:
        """Takes what the relay says of it."""
        if told.HasField("muted"):
            self.muted = told.muted.muted
        elif told.HasField("ended"):
            self.end(refuse(*_ENDS.get(told.ended.cause, _FAILED)))
        self._news.set()

    def end(self, why: DomainError) -> None:
        """It is over; the first reason stands."""
        self.ended = self.ended or why
        self._more.set()
        self._news.set()


class Speakers:
    """All who speak over HTTPS here."""

    def __init__(
        self, settings: Settings, permits: Permits, relays: Relays, background: Background, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._permits = permits
        self._relays = relays
        self._background = background
        self._open: dict[str, tuple[Uplink, Any]] = {}
        self._places = 0
        self._of_network: Counter[str] = Counter()
        self._of_person: Counter[str] = Counter()
        self.is_draining = False
        self.changed: Callable[[str, str], None] = lambda _room_id, _user_id: None
        """Told of each person who begins or ends speaking so, and in which room."""
        self._now = metrics.gauge("majlis_gateway_speak_open", "People who speak over HTTPS now.")
        self._packets = metrics.counter("majlis_gateway_speak_packets_total", "Packets of sound from who speaks so.")
        self._lost = metrics.counter(
            "majlis_gateway_speak_lost_total",
            "Packets of sound that no relay took in time.",
        )
        self._ends = metrics.counter(
            "majlis_gateway_speak_ends_total", "Sessions of who spoke so, by why.", ("reason",)
        )

    def voices(self) -> dict[tuple[str, str], int]:
        """The member numbers of those who speak so here on the floor of their rooms, by room and person."""
        return {
            (uplink.room_id, uplink.user_id): uplink.member
            for uplink, _ in self._open.values()
            if not uplink.booth and uplink.ended is None
        }

    async def open(self, room_id: str, shown: str, network: str, understands: str = "") -> Uplink:
        """Lets the bearer of a permit or token speak. Raises the refusals of directory and relay."""
        if self.is_draining:
            raise Draining("this gateway is going: open another session")
        permit, claims = await self._permits.stage_permit(room_id, shown, network, understands)
        with self._place(claims.user_id, network):
            # Whom a permit names is known only once the relay has taken it: nobody uses up the places of another.
            address = await self._permits.address_of(claims.relay_id)
            stream: Any = (await self._relays.uplink_at(address)).Speak(pb.SpeakRequest(permit=permit))
            try:
                opened = await _opened(stream)
                self._require_place(claims.user_id)
            except BaseException:
                stream.cancel()
                raise
            self._of_person[claims.user_id] += 1
        uplink = Uplink(claims, network, opened)
        self._open[uplink.session_id] = uplink, stream
        self._now.inc()
        self._background.spawn("news of a speaker", lambda: self._follow(uplink, stream))
        self._background.spawn("sound of a speaker", lambda: self._carry(uplink, address))
        self.changed(uplink.room_id, uplink.user_id)
        return uplink

    def close(self, uplink: Uplink, why: DomainError | None = None) -> None:
        """Ends a session; one that is over stays so."""
        uplink.end(why or refuse("SESSION_NOT_FOUND", "the session was closed"))
        found = self._open.pop(uplink.session_id, None)
        if found is None:
            return
        found[1].cancel()
        self._free(self._of_person, uplink.user_id)
        self._free_place(uplink.network)
        self._now.dec()
        self._lost.inc(uplink.dropped)
        assert uplink.ended is not None
        self._ends.labels(uplink.ended.reason).inc()
        self.changed(uplink.room_id, uplink.user_id)

    async def drain(self) -> None:
        """Ends all, who may speak by another gateway then."""
        self.is_draining = True
        for uplink, _ in list(self._open.values()):
            self.close(uplink, Draining("this gateway is going: open another session"))

    async def _follow(self, uplink: Uplink, stream: Any) -> None:
        try:
            while uplink.ended is None and (told := await _read(stream)) is not None:
                uplink.note(told)
        except DomainError:
            pass
        finally:
            self.close(uplink, refuse(*_FAILED))

    async def _carry(self, uplink: Uplink, address: str) -> None:
        while uplink.ended is None:
            sounds = await uplink.take()
            request = pb.PutSoundRequest(
                session_id=uplink.session_id, sounds=[pb.Sound(timestamp=at, opus=opus) for at, opus in sounds]
            )
            try:
                stub = await self._relays.uplink_at(address)
                await stub.PutSound(request, timeout=_PUT_SECONDS)
                self._packets.inc(len(sounds))
            except DomainError as error:
                # Whether the relay is there at all the other stream tells: sound that did not go is over.
                self._lost.inc(len(sounds))
                if error.reason == "SESSION_NOT_FOUND":
                    self.close(uplink, error)
            await asyncio.sleep(_GATHER_SECONDS)

    @contextmanager
    def _place(self, user_id: str, network: str) -> Iterator[None]:
        """Counts a microphone before the first wait, so that a crowd cannot slip past the limits."""
        most = self._settings
        full = (
            (self._places >= most.max_speakers, "many people speak over HTTPS here just now"),
            (
                self._of_network[network] >= most.max_speakers_per_network,
                "many people of your network speak over HTTPS",
            ),
        )
        for is_full, why in full:
            if is_full:
                raise TooManyStreams(why, retry_after_seconds=_COME_BACK_SECONDS)
        self._require_place(user_id)
        self._places += 1
        self._of_network[network] += 1
        try:
            yield
        except BaseException:
            self._free_place(network)
            raise

    def _require_place(self, user_id: str) -> None:
        if self._of_person[user_id] >= self._settings.max_speakers_per_user:
            raise TooManyStreams("you speak over HTTPS elsewhere already", retry_after_seconds=_COME_BACK_SECONDS)

    def _free_place(self, network: str) -> None:
        self._places -= 1
        self._free(self._of_network, network)

    @staticmethod
    def _free(counts: Counter[str], key: str) -> None:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]


async def _opened(stream: Any) -> pb.SpeakOpened:
    first = await _read(stream, _OPEN_SECONDS)
    if first is None or not first.HasField("opened"):
        raise PartUnavailable("the relay of the stage did not answer")
    return first.opened


async def _read(stream: Any, seconds: float | None = None) -> pb.SpeakResponse | None:
    """The next of a stream; None at its end. Raises the refusal it ends with."""
    try:
        async with asyncio.timeout(seconds):
            told = await stream.read()
    except grpc.aio.AioRpcError as error:
        raise raise_for(error) from error
    except TimeoutError:
        raise PartUnavailable("the relay of the stage did not answer in time") from None
    return None if told is grpc.aio.EOF else told
