"""A relay without packets: fakes of what its application needs, and permits for it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from services.media_relay.domain.booths import BoothPart, Mix
from services.media_relay.domain.capacity import Capacity
from services.media_relay.domain.errors import PermitInvalid
from services.media_relay.domain.events import Cause, Event, SessionConnected, SessionEnded, SessionIdle, SessionOpened
from services.media_relay.domain.media import (
    ListenerFormat,
    MediaAddresses,
    MicrophoneFormat,
    SlotFormat,
    SrtpKeys,
    StageSeat,
)
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.rooms import RoomPart
from services.media_relay.fleet.permit_keys import PERMIT
from services.media_relay.programme.room_media import RoomMediaTable, Told
from services.media_relay.sessions.changing import Changing
from services.media_relay.sessions.connecting import Connecting
from services.media_relay.sessions.doors import Doors
from services.media_relay.sessions.effects import Effects
from services.media_relay.sessions.ending import Ending
from services.media_relay.sessions.opening import Opening
from services.media_relay.sessions.orders import Orders
from services.media_relay.sessions.ports import Outcome
from services.media_relay.sessions.resuming import Resuming
from services.media_relay.sessions.sdp.offer import Fingerprint
from services.media_relay.sessions.speaking import Speaking, Voices
from services.media_relay.sessions.upkeep import Upkeep
from services.programme.channels import FLOOR, Channel
from services.programme.wishes import Consumer, Wish
from services.programme.work import PACKETS_ONLY, Limits, Tariff
from tests.support.counting import CountingRandomness
from tests.support.fake_clock import FakeClock

RELAY, BOOT, ROOM, USER = "relay00000", "boot000001", "room000001", "user000001"
OFFERS = Path(__file__).parent / "offers"
KEYS = SrtpKeys("AEAD_AES_128_GCM", b"l" * 28, b"r" * 28)
FINGERPRINT = Fingerprint("sha-256", ":".join(["AB"] * 32))


def offer(name: str) -> str:
    """An offer as a kind of client sends it."""
    return (OFFERS / f"{name}.sdp").read_bytes().decode()


def part(
    term: int = 1,
    home: str = RELAY,
    *channels: str,
    live: bool = True,
    stage_closed: bool = False,
    booths: Sequence[BoothPart] = (),
    members: Mapping[int, str] | None = None,
    rehearsal: bool = False,
) -> RoomPart:
    """The relay's part in the room; without a word about channels the room has its floor."""
    return RoomPart(
        ROOM,
        term,
        home,
        frozenset(channels or (FLOOR, *(booth.language for booth in booths))),
        live,
        stage_closed,
        tuple(booths),
        tuple((members or {}).items()),
        rehearsal,
    )


@dataclass
class FakeCore:
    """Keeps what the packet core was told; handles count up."""

    sessions: dict[int, tuple[str, str]] = field(default_factory=dict)
    keys: dict[int, SrtpKeys] = field(default_factory=dict)
    stages: set[int] = field(default_factory=set)
    channels: dict[int, int | None] = field(default_factory=dict)
    exported: set[int] = field(default_factory=set)
    thrifty: set[int] = field(default_factory=set)
    mixes: dict[int, Mix] = field(default_factory=dict)
    mixed_booths: dict[int, int] = field(default_factory=dict)  # the number of that in which a channel's voices speak
    seats: dict[int, StageSeat] = field(default_factory=dict)
    on_stage: dict[int, tuple[int, int, list[int]]] = field(default_factory=dict)
    listening: dict[int, int] = field(default_factory=dict)
    muted: dict[int, bool] = field(default_factory=dict)
    open_with_keys: set[int] = field(default_factory=set)
    """Microphones that could be heard from the moment their keys were there."""
    paused: dict[int, bool] = field(default_factory=dict)
    spoken: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    settlings: int = 0
    switches: int = 0  # calls that moved listeners
    _numbers: Any = field(default_factory=lambda: count(1))

    def add_session(self, ufrag: str, pwd: str, /) -> int:
        handle = next(self._numbers)
        self.sessions[handle] = (ufrag, pwd)
        return int(handle)

    def add_outside_session(self) -> int:
        return self.add_session("", "")

    def speak(self, session: int, packets: Sequence[tuple[int, bytes]], /) -> None:
        assert session in self.on_stage
        self.spoken.setdefault(session, []).extend(packets)

    def restart_ice(self, session: int, ufrag: str, pwd: str, /) -> None:
        assert session in self.sessions
        self.sessions[session] = (ufrag, pwd)

    def set_keys(self, session: int, keys: SrtpKeys, /) -> None:
        assert session in self.sessions
        if not self.muted.get(session, False):
            self.open_with_keys.add(session)
        self.keys[session] = keys

    def remove_session(self, session: int, /) -> None:
        self.sessions.pop(session, None)
        self.listening.pop(session, None)
        self.on_stage.pop(session, None)
        self.seats.pop(session, None)

    def add_stage(self) -> int:
        stage = int(next(self._numbers))
        self.stages.add(stage)
        return stage

    def remove_stage(self, stage: int, /) -> None:
        self.stages.remove(stage)

    def add_channel(self, stage: int | None, /, *, thrift: bool = False) -> int:
        assert stage is None or stage in self.stages
        channel = int(next(self._numbers))
        self.channels[channel] = stage
        self.thrifty |= {channel} if thrift else set()
        return channel

    def remove_channel(self, channel: int, /) -> None:
        del self.channels[channel]
        self.exported.discard(channel)
        self.mixes.pop(channel, None)

    @property
    def mixing(self) -> dict[int, list[int]]:
        """Whom each channel mixes in full."""
        return {channel: sorted(mix.voices) for channel, mix in self.mixes.items()}

    def set_mix(self, channel: int, mix: Mix, booth: int, /) -> None:
        assert self.channels[channel] is not None
        self.mixes[channel] = mix
        self.mixed_booths[channel] = booth

    def set_hearing(self, session: int, hears: int, leads: bool, clear: AbstractSet[int], /) -> None:
        assert session in self.on_stage
        self.seats[session] = replace(self.seats[session], hears=hears, leads=leads, clear=frozenset(clear))

    def set_export(self, channel: int, wanted: bool, /) -> None:
        assert self.channels[channel] is not None
        (self.exported.add if wanted else self.exported.discard)(channel)

    def switch_channels(self, sessions: Sequence[int], channel: int, /) -> None:
        assert channel in self.channels
        self.switches += 1
        for session in sessions:
            assert session in self.listening
            self.listening[session] = channel

    def join_stage(
        self, session: int, stage: int, member: int, microphone: MicrophoneFormat, slots: Sequence[SlotFormat], /
    ) -> None:
        assert session in self.sessions
        assert stage in self.stages
        assert microphone.payload_type
        self.seats[session] = microphone.seat
        self.on_stage[session] = (stage, member, [slot.ssrc for slot in slots])

    def attach_listener(self, session: int, channel: int, listener: ListenerFormat, /) -> None:
        assert session in self.sessions
        assert channel in self.channels
        assert listener.ssrc
        self.listening[session] = channel

    def set_muted(self, session: int, muted: bool, /) -> None:
        assert session in self.on_stage
        self.muted[session] = muted

    def set_paused(self, session: int, paused: bool, /) -> None:
        assert session in self.listening
        self.paused[session] = paused

    async def settled(self) -> None:
        self.settlings += 1


@dataclass
class FakeHandshakes:
    """Handshakes that are done when the test says so."""

    expected: dict[int, Outcome] = field(default_factory=dict)
    ours_to_begin: set[int] = field(default_factory=set)
    begun: list[int] = field(default_factory=list)
    dropped: int = 0

    def expect(
        self, handle: int, fingerprints: Sequence[Fingerprint], outcome: Outcome, *, begins: bool
    ) -> Fingerprint:
        assert fingerprints
        self.expected[handle] = outcome
        if begins:
            self.ours_to_begin.add(handle)
        return FINGERPRINT

    def reachable(self, handle: int) -> None:
        if handle in self.ours_to_begin:
            self.begun.append(handle)

    def forget(self, handle: int) -> None:
        self.dropped += self.expected.pop(handle, None) is not None

    def succeed(self, handle: int) -> None:
        """The handshake is done."""
        self.expected[handle].keyed(KEYS)


@dataclass
class FakeBridge:
    """Notes what is carried over the bus."""

    incoming: dict[int, str] = field(default_factory=dict)
    outgoing: dict[int, str] = field(default_factory=dict)

    def carry_in(self, channel: Channel, handle: int) -> None:
        self.incoming[handle] = str(channel)

    def carry_out(self, channel: Channel, handle: int) -> None:
        self.outgoing[handle] = str(channel)

    def stop(self, handle: int) -> None:
        self.incoming.pop(handle, None)
        self.outgoing.pop(handle, None)


@dataclass
class Recorder:
    """What the directory would be told."""

    events: list[Event] = field(default_factory=list)

    def happened(self, event: Event, now: float) -> None:
        self.events.append(event)

    def told(self) -> list[tuple[str, str]]:
        """(session id, opened / connected / idle / ended: cause), in order."""
        words = []
        for event in self.events:
            match event:
                case SessionOpened(session=session):
                    words.append((session.session_id, "opened"))
                case SessionConnected(session=session):
                    words.append((session.session_id, "connected"))
                case SessionIdle(session=session):
                    words.append((session.session_id, "idle"))
                case SessionEnded(session=session, cause=cause):
                    words.append((session.session_id, f"ended: {Cause(cause).value}"))
                case _:
                    pass
        return words


class RelayBench:
    """The application on fakes, with permits that are their own claims."""

    def __init__(
        self, budget: int = 100_000, relay_id: str = RELAY, packet_ms: int = 20, doors: Doors | None = None
    ) -> None:
        self.clock = FakeClock()
        self.core = FakeCore()
        self.bridge = FakeBridge()
        self.handshakes = FakeHandshakes()
        self.recorder = Recorder()
        self.relay = Relay(relay_id, BOOT, Capacity(Limits(budget, budget), Tariff(PACKETS_ONLY, packet_ms)))
        self.switches: list[str] = []
        told = Told(self.switches.append, self.relay.capacity.export)
        self.rooms = RoomMediaTable(self.core, self.bridge, self.relay.rooms, self.relay.sessions, told)
        self.claims: dict[str, Mapping[str, Any]] = {}
        addresses = MediaAddresses([("192.0.2.1", 5004), ("2001:db8::1", 5004)])
        randomness, doors = CountingRandomness(), doors or Doors(100)
        voices = Voices()
        effects = Effects(self.core, self.rooms, self.handshakes, (self.recorder, doors, voices), self.clock)
        self.ending = Ending(self.relay, effects)
        seams = {"ending": self.ending, "voices": voices, "verify": self._verify, "clock": self.clock}
        self.speaking = Speaking(self.relay, self.core, self.rooms, effects, randomness=randomness, **seams)  # type: ignore[arg-type]
        self.connecting = Connecting(
            self.relay, self.core, self.rooms, self.handshakes, effects, ending=self.ending, clock=self.clock
        )
        self.opening = Opening(
            self.relay,
            self.core,
            self.rooms,
            self.handshakes,
            connecting=self.connecting,
            effects=effects,
            verify=self._verify,
            doors=doors,
            randomness=randomness,
            clock=self.clock,
            addresses=addresses,
        )
        self.resuming = Resuming(self.relay, self.core, randomness, addresses)
        self.changing = Changing(self.relay, self.rooms, verify=self._verify, clock=self.clock)
        self.orders = Orders(self.relay, self.core, self.rooms, effects, self.clock)
        self.upkeep = Upkeep(self.relay, self.rooms, effects, self.handshakes, trim=lambda: None, clock=self.clock)
        self._permits = count(1)
        self._opened_with: dict[str, str] = {}

    async def _verify(self, permit: str) -> Mapping[str, Any]:
        try:
            return PERMIT.fields(self.claims[permit])
        except KeyError:
            raise PermitInvalid("not signed") from None

    def permit(self, kind: str = "audience", **changes: Any) -> str:
        """A new permit for the room's seat."""
        number = next(self._permits)
        text = f"permit-number-{number:06d}"
        stage = kind == "stage"
        self.claims[text] = {
            "jti": f"jti{number}",
            "room": ROOM,
            "term": 1,
            "sub": USER,
            "epoch": 1,
            "kind": kind,
            "role": "speaker" if stage else "listener",
            "member": 77 if stage else 0,
            "muted": False,
            "channel": FLOOR,
            "channel_kind": "floor",
            "booth": "",
            "relay": self.relay.relay_id,
            "boot": BOOT,
            "home": self.relay.relay_id,
            **changes,
        }
        return text

    async def open(self, kind: str = "audience", **changes: Any) -> str:
        """Opens a session; returns its id."""
        name = "chromium_stage" if kind == "stage" else "chromium_listener"
        permit = self.permit(kind, **changes)
        opened = await self.opening.create_session(permit, offer(name))
        self._opened_with[opened.session_id] = permit
        return opened.session_id

    def permit_of(self, session_id: str) -> str:
        """The permit that opened it."""
        return self._opened_with[session_id]

    async def connect(self, kind: str = "audience", **changes: Any) -> str:
        """Opens a session and lets it connect."""
        session_id = await self.open(kind, **changes)
        self.connecting.on_nominated(self.handle(session_id))
        self.handshakes.succeed(self.handle(session_id))
        return session_id

    def wish(self, *names: str, consumer: str = "relay00009", room: str = ROOM) -> None:
        """A consumer tells that it wants channels of a room."""
        channels = frozenset(Channel(room, name) for name in names)
        self.rooms.heard(Wish(consumer, Consumer.RELAY, channels), self.clock.monotonic())

    def handle(self, session_id: str) -> int:
        session = self.relay.sessions.get(session_id)
        assert session is not None
        return session.handle

    def alive(self, session_id: str) -> bool:
        return self.relay.sessions.get(session_id) is not None

    async def later(self, seconds: float) -> None:
        """Lets time pass in the steps the service ticks in."""
        steps = max(1, round(seconds / 0.2))
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            await self.upkeep.tick()
        await self.upkeep.sweep()
