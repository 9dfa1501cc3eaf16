"""The packet core as Python sees it: one Core is one relay's media port, and no packet crosses into Python."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Literal, TypeAlias, final

# Handles are small ints minted by the core, never reused within a process.
Session: TypeAlias = int
Stage: TypeAlias = int
"""A room's stage on its home relay."""
Channel: TypeAlias = int
"""One programme channel ("floor", "ar", …) of one room on this relay."""

SrtpProfile: TypeAlias = Literal["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_HMAC_SHA1_80"]

Event: TypeAlias = (
    tuple[Literal["dtls"], Session, bytes]
    | tuple[Literal["nominated"], Session, str, int, bool]
    | tuple[Literal["media"], Session]
    | tuple[Literal["idle"], Session]
    | tuple[Literal["active"], Session]
    | tuple[Literal["expired"], Session]
    | tuple[Literal["failed"], Session, str]
)
"""What Core.poll_events returns; the first item is the kind.

dtls: a DTLS datagram from a validated address.
nominated: media now goes to this address (repeats when the address moves). media: the first authenticated RTP of a
stage session. idle: no valid check for 5 s. active: checks again after idle. expired: no consent for 30 s (RFC 7675),
or not both nominated and keyed 10 s after add_session. failed: processing the session panicked.
After expired and failed the core has closed the session by itself; remove_session then only forgets the handle.
"""

class CoreError(Exception):
    """A bad argument, an unknown handle or a step out of order; the message says which."""

@final
class Slot:
    """One recvonly m-line of a stage session."""

    def __init__(self, *, ssrc: int, payload_type: int) -> None: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def payload_type(self) -> int: ...

@final
class ProgrammeFrame:
    """20 ms of one channel, as it travels on the bus."""

    start_of_talk: Final[bool]
    """The first frame after silence."""
    end_of_talk: Final[bool]
    """A closing frame: nothing may follow for a while, and that is no loss."""
    level: Final[int]
    """-dBov, 0 (loudest) to 127 (silence)."""
    stream: Final[int]
    """Which mixer made it: sequence and timestamp go on within one stream."""
    sequence: Final[int]
    """One more than that of the frame sent before, modulo 2**32."""
    timestamp: Final[int]
    """48 kHz time of the first sample, modulo 2**32; advances through silence."""
    captured_at: Final[float]
    """When the first sample left the mix: seconds since 1970 by the home relay's clock."""
    members: Final[list[int]]
    """Who speaks, loudest first."""
    opus: Final[bytes]
    """The Opus packet."""

    @staticmethod
    def decode(wire: bytes) -> ProgrammeFrame:
        """Reads the wire form. Raises CoreError for bytes that are none."""

@final
class Muxer:
    """Puts Opus packets into a container, live: Ogg (RFC 7845), WebM, or fragmented MP4.

    Times are samples at 48 kHz since the recording began. A time later than where the last packet ended is a gap, and
    plays as silence.
    """

    def __init__(
        self,
        container: Literal["ogg", "webm", "mp4"],
        channels: int,
        pre_skip: int,
        serial: int = 0,
        *,
        longest: int | None = None,
    ) -> None:
        """For 1 or 2 channels; pre_skip is samples to decode and not to play; serial tells Ogg streams apart.

        `longest` is how many samples a page, cluster or fragment lasts before it closes by itself.

        Raises ValueError.
        """
    def head(self) -> bytes:
        """What a player gets before all packets, whenever it joins."""
    def packet(self, at: int, packet: bytes) -> bytes:
        """Bytes that are whole with this packet; none while a page or fragment fills.

        Raises ValueError for what is no Opus packet (RFC 6716 §3), or older than what was written.
        """
    def cut(self) -> bytes:
        """What was still waiting; the next packet begins a new piece, which a player may begin with after the head."""
    def end(self) -> bytes:
        """What was still waiting."""

@final
class ListenerFormat:
    """What an audience session negotiated."""

    def __init__(
        self,
        *,
        ssrc: int,
        payload_type: int,
        red_payload_type: int | None = None,
        abs_capture_time_id: int | None = None,
        level_extension_id: int | None = None,
    ) -> None: ...

@final
class SessionStats:
    """One session's numbers, counted since it was added."""

    packets_sent: Final[int]
    bytes_sent: Final[int]
    """RTP datagrams sent to this session, SRTP overhead included, IP and UDP headers not."""
    packets_received: Final[int]
    """Authenticated RTP packets from it."""
    fraction_lost: Final[float]
    """0..1, from its last receiver report."""
    jitter_seconds: Final[float]
    """From its last receiver report."""
    round_trip_seconds: Final[float | None]
    address: Final[tuple[str, int] | None]
    """Where media goes: the nominated address."""
    tcp: Final[bool]
    """Whether it goes there over a TCP connection."""
    connected: Final[bool]
    """Nominated and keyed."""

@final
class Input:
    """What one member's microphone sends."""

    member: Final[int]
    level_dbov: Final[float | None]
    """Mean level of what is speech; None before enough was heard, as with the next two."""
    clipped: Final[float | None]
    """Part of the samples of speech that lie at full scale, 0..1."""
    band_hz: Final[int | None]
    """Where the spectrum of speech ends."""
    expected: Final[int]
    """Packets of the last ten seconds: how many there should have been."""
    lost: Final[int]
    """How many of these did not come."""
    activity: Final[str]
    """Whether they spoke in each 100 ms of the last 40 s, oldest first, as 1 and 0; all that are read together end together."""

@final
class Core:
    def __init__(
        self,
        *,
        bind: Sequence[tuple[str, int]],
        sender_threads: int = 1,
        programme_threads: int = 1,
        handshakes_per_source_per_second: int = 50,
        tcp_connections_per_source: int | None = None,
    ) -> None:
        """Opens one UDP port on each address; port 0 in the second and later ones means the first one's port.

        With `tcp_connections_per_source` it takes TCP connections on the same number too, where that is free.
        A source is an IPv4 address or an IPv6 /64. Raises OSError when an address cannot be bound, CoreError on a bad
        argument.
        """

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The bound addresses in the order of bind."""

    @property
    def tcp_addresses(self) -> list[tuple[str, int]]:
        """Those of them that take TCP connections (RFC 6544) too."""

    @property
    def tcp_refused(self) -> list[tuple[str, int, str]]:
        """Those that should and cannot, and why not."""

    def start(self) -> None:
        """Starts the threads; may be called once. Sessions, stages and channels may be added before or after."""

    def close(self) -> None:
        """Stops the threads and closes the port; every later call raises CoreError. Idempotent."""

    def event_fd(self) -> int:
        """A descriptor that is readable while events wait (for loop.add_reader); poll_events clears it."""

    def poll_events(self, limit: int = 512) -> list[Event]:
        """Up to limit events, oldest first. While more wait the descriptor stays readable."""

    def add_session(self, ufrag: str, pwd: str) -> Session:
        """A new ICE-lite session with these local credentials (4 to 256 and 22 to 256 characters, RFC 8839)."""

    def add_outside_session(self) -> Session:
        """A session without a transport: once on a stage it is the microphone of what `speak` gives it."""
    def speak(self, session: Session, packets: Sequence[tuple[int, bytes]]) -> None:
        """Packets of such a microphone, in order, each with its timestamp at 48 kHz, modulo 2**32.

        They are given out by their timestamps; what came over a second late is left out, and at most two seconds wait.
        """
    def restart_ice(self, session: Session, ufrag: str, pwd: str) -> None:
        """New credentials; the old ones and the old pair stay valid until a pair of the new ones is nominated."""

    def set_keys(self, session: Session, profile: SrtpProfile, local_key_salt: bytes, remote_key_salt: bytes) -> None:
        """SRTP keys, each key followed by its salt (28, 44 or 30 bytes by profile). Once per session."""

    def send_dtls(self, session: Session, datagram: bytes) -> None:
        """To the nominated address, before nomination to the validated address that spoke last; else dropped."""

    def remove_session(self, session: Session) -> None:
        """Ends it: nothing in or out as soon as the packet threads read it (about 1 ms; flush() waits for that).

        Unknown and already removed sessions are ignored.
        """

    def add_stage(self) -> Stage: ...
    def remove_stage(self, stage: Stage) -> None:
        """Its members' sessions stay, hearing nothing."""

    def join_stage(
        self,
        session: Session,
        stage: Stage,
        *,
        member: int,
        payload_type: int,
        level_extension_id: int | None,
        slots: Sequence[Slot],
        booth: int = 0,
        hears: int = 0,
        leads: bool = False,
    ) -> None:
        """Makes it a stage session: its microphone is member, and it hears up to len(slots) others.

        Who is in a booth (0: on the floor) hears those in it, and what they work from: the floor, or who leads another
        booth. They are heard in the channels that mix them, and by nobody on the floor.
        Once per session, and not for one that is a listener. Forwarded packets carry the speaker's member number as
        CSRC. With no level extension the core judges who speaks by the size of the packets.
        """

    def set_muted(self, session: Session, muted: bool) -> None:
        """Enforced: a muted member's packets are dropped after authentication. Survives nothing but the session."""

    def set_hearing(self, session: Session, hears: int, leads: bool, clear: AbstractSet[int] = ...) -> None:
        """What an interpreter works from, and whether those who work from their booth hear them.

        Of somebody on the floor: the booth that is heard too while another has the floor who is not one of clear.
        """

    def add_channel(self, stage: Stage | None, *, thrift: bool = False) -> Channel:
        """A stage: fed by people on it, those of set_mix (home relay). None: by push_programme (audience relay)."""

    def remove_channel(self, channel: Channel) -> None:
        """Its listeners' sessions stay, hearing nothing until switch_channels."""

    def set_mix(
        self,
        channel: Channel,
        voices: AbstractSet[int],
        *,
        booth: int = 0,
        ready: AbstractSet[int] = ...,
        under: AbstractSet[int] = ...,
        clear: AbstractSet[int] = ...,
        under_db: int | None = None,
        alone_after_seconds: int | None = None,
    ) -> None:
        """Which members of the stage a home channel mixes, and nobody else; a new one mixes nobody.

        voices and ready are what they say in that booth, under what is said on the floor. Who goes from voices to ready
        is silent before who comes from there is heard, within one frame. under_db is the floor's gain while a voice is
        on the stage, none: not heard; once none has been there for alone_after_seconds it is heard in full. While one
        of clear has the floor, the floor is heard in full and no voice.
        """

    def set_export(self, channel: Channel, wanted: bool) -> None:
        """Frames of a home channel also go to poll_programme."""

    def programme_fd(self) -> int:
        """Readable while exported frames wait; poll_programme clears it. May be used by another thread and loop."""

    def poll_programme(self, limit: int = 64) -> list[tuple[Channel, bytes]]:
        """Exported programme frames in wire form, oldest first; beyond 1,024 waiting the newest are dropped."""

    def push_programme(self, channel: Channel, frame: bytes) -> None:
        """Feeds a remote channel; bad bytes raise CoreError, duplicates and late frames are dropped and counted."""

    def set_packet_ms(self, channel: Channel, packet_ms: Literal[20, 40, 60]) -> None: ...
    def set_redundancy(self, channel: Channel, wanted: bool) -> None:
        """Whether listeners whose networks lose packets get redundancy (RFC 2198), as they do at first."""

    def set_bitrate(self, channel: Channel, bits_per_second: int) -> None:
        """The encoder's target, 6,000 to 128,000."""

    def set_effort(self, ceiling: int) -> None:
        """How hard encoders may work, 0 to 10; each programme thread lowers that by itself while it has much to do."""

    def set_encoder_costs(self, costs: Mapping[str, float]) -> None:
        """What measure_work told, so that effort is chosen by what it costs here."""

    def attach_listener(self, session: Session, channel: Channel, listener: ListenerFormat) -> None:
        """Makes it an audience session. Once per session; switch_channels moves it."""

    def switch_channels(self, sessions: Sequence[Session], channel: Channel) -> None:
        """Moves listeners: SSRCs stay, sequence numbers and timestamps stay continuous."""

    def set_paused(self, session: Session, paused: bool) -> None:
        """A listener going on stage: nothing is sent while paused, the session stays."""

    def session_stats(self, session: Session) -> SessionStats:
        """Asks the packet threads (about 1 ms, GIL released). A session the core closed reads as not connected."""

    def speaking(self, stage: Stage) -> list[int]:
        """The member numbers of those who speak there now, short pauses included; its booths' people are among them."""

    def inputs(self, stage: Stage) -> list[Input]:
        """How well those who speak there can be heard, its booths' people among them.

        Measured from the first time it is asked until 5 s after the last; whoever was not heard since is left out.
        """

    def counters(self) -> dict[str, int]:
        """Totals since start and, for names ending in _now, gauges; names are listed in docs of crate io, counters.rs."""

    def playout_holds(self) -> list[tuple[int, int]]:
        """The last frames that left playout buffers: capture time (NTP 32.32) and how long each was held (µs)."""

    def dump(self) -> str:
        """JSON of every session, stage, channel and thread, keys and passwords left out; for operators and tests."""

    def flush(self) -> None:
        """Waits until every call made before has taken effect in all packet threads (about 1 ms, GIL released)."""

def self_calibrate(seconds: float = 0.5) -> int:
    """Packets per second this machine can seal and send on loopback with one core. Blocks, GIL released."""

def measure_work(seconds: float = 0.2) -> dict[str, float]:
    """What 20 ms of a programme cost here, µs of CPU, for about so much CPU; GIL released.

    `decode` and `mix` for a speaker, `pass` for a lone speaker's frame, `encode_1` to `encode_10` by complexity.
    """

def trim_memory() -> None:
    """Gives freed memory back to the system (malloc_trim)."""
