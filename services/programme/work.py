"""What carrying rooms costs a relay and what it can do, in packets a second: the one model that admits and forecasts.

The unit is the work of sealing and sending one packet each second. Whatever else a relay does is counted in it by what
it is measured to cost there beside such a packet: decoders, encoders, frames passed on, microphones, people coming in.
Who hears over HTTPS costs a relay nothing but the frames of their channel, once for each gateway; what they cost
gateways is in `https_work`.
"""

from dataclasses import dataclass
from typing import Final

FRAME_MS: Final = 20
FRAMES: Final = 1000 // FRAME_MS
"""Frames a second of each channel and microphone."""
SLOTS: Final = 4
"""Voices that each person on stage hears at most."""
USED_SHARE: Final = 0.75
"""Share of what the cores can do that is promised."""
PROGRAMME_SHARE: Final = 0.9
"""Share of its programme threads that a relay may need at worst: all channels mixing, at the least effort."""
TOGETHER_SHARE: Final = 0.95
"""Share of its cores that all its threads may need in that moment."""
KEPT_BACK: Final = 0.10
"""Share of what may be promised that only the stage and people coming back may use."""
WAITING_STEP: Final = 7
"""Step of a relay's ladder from which newcomers find no seat there."""
PAUSING_STEP: Final = 8
"""Step of a relay's ladder from which doors keep seats elsewhere free for its people."""
MIXED_SHARE: Final = 0.3
"""Share of its time in which a channel mixes instead of passing a lone speaker on, as a talk usually goes."""
MIXED_VOICES: Final = 2
"""Voices that a channel decodes while it mixes."""
THRIFT_PACKET_MS: Final = 120
"""Milliseconds of sound in each packet to who hears a channel in few bits."""
TCP_WRITES: Final = 25
"""Times a second at most that something is written to a listener over TCP: packets of 20 ms go out in twos."""
TCP_WRITE: Final = 2.2
"""What one costs, in packets: no system writes to many connections in one call, as it sends by UDP."""
LEAST_BUDGET: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Microseconds of CPU on one machine; those given here are of a slow core, for a machine that has not measured."""

    packet: float = 3.5
    """A listener's packet: its header, seal and send."""
    microphone: float = 8.0
    """A microphone's packet on its way in: received, opened, judged and handed on."""
    decode: float = 20.0
    """20 ms of one voice, decoded and levelled."""
    encode_least: float = 300.0
    """20 ms of a channel, mixed and encoded with the least effort that the relay goes down to."""
    encode_best: float = 300.0
    """The same with the best effort."""
    passed: float = 15.0
    """20 ms of a channel handed on as they came, from a lone speaker or from another relay."""
    join: float = 3_200.0
    """All that the relay does for one person who comes in; a relay learns it from those who do."""

    def mixed(self, effort: float = 0.0) -> float:
        """20 ms of a channel that mixes, with an effort between the least (0) and the best (1)."""
        encoded = self.encode_least + (self.encode_best - self.encode_least) * effort
        return MIXED_VOICES * self.decode + encoded


USUAL: Final = Costs()
PACKETS_ONLY: Final = Costs(microphone=3.5, decode=0.0, encode_least=0.0, encode_best=0.0, passed=0.0, join=0.0)
"""Of a relay of an older release: it counts packets alone."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work in packets a second."""

    usual: int = 0
    """What it comes to as talks usually go."""
    sending: int = 0
    """Most that threads which receive and send may have to do of it."""
    programme: int = 0
    """Most that programme threads may have to do: every channel mixing, at the least effort."""

    def __add__(self, other: "Work") -> "Work":
        return Work(self.usual + other.usual, self.sending + other.sending, self.programme + other.programme)

    def __sub__(self, other: "Work") -> "Work":
        return Work(self.usual - other.usual, self.sending - other.sending, self.programme - other.programme)

    def __mul__(self, times: int) -> "Work":
        return Work(self.usual * times, self.sending * times, self.programme * times)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a relay may promise and can do, in packets a second; zeros: nothing is known yet, and nothing is refused."""

    usual: int = 0
    sending: int = 0
    programme: int = 0
    together: int = 0
    whole: int = 0
    """Of all cores: what nobody inside needs of it lets people come in."""

    def fullness(self, work: Work) -> float:
        """Share of the tightest limit that some work takes."""
        return max((done / limit for done, limit in self._beside(work)), default=0.0)

    def allow(self, work: Work, share: float) -> bool:
        """Whether some work stays within a share of every limit."""
        return all(done <= limit * share for done, limit in self._beside(work))

    def times(self, work: Work, each: Work, share: float) -> int:
        """How often `each` still fits beside some work; at most a billion times."""
        if not self.allow(work, share):
            return 0
        spare = zip(self._beside(work), self._beside(each), strict=True)
        return min((int((limit * share - done) // one) for (done, limit), (one, _) in spare if one), default=10**9)

    def _beside(self, work: Work) -> list[tuple[int, int]]:
        """Each kind of work beside its limit, where there is one."""
        pairs = (
            (work.usual, self.usual),
            (work.sending, self.sending),
            (work.programme, self.programme),
            (work.sending + work.programme, self.together),
        )
        return [(done, limit) for done, limit in pairs if limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a relay has to work with."""

    cores: int
    sender_threads: int
    programme_threads: int

    def limits(self, costs: Costs, budget: int | None = None) -> Limits:
        """What it may promise. More threads than cores do no more, and one core is left to everything else.

        A `budget` that an operator set is taken for what may be promised, and nothing else is asked then.
        """
        if budget is not None:
            return Limits(usual=budget, sending=budget)
        core, free = 1e6 / costs.packet, max(1, self.cores - 1)
        threads = self.sender_threads + self.programme_threads
        return Limits(
            usual=max(
                LEAST_BUDGET, int(USED_SHARE * core * min(max(self.sender_threads, self.programme_threads), free))
            ),
            sending=max(LEAST_BUDGET, int(USED_SHARE * core * min(self.sender_threads, free))),
            programme=max(LEAST_BUDGET, int(PROGRAMME_SHARE * core * min(self.programme_threads, self.cores))),
            together=max(LEAST_BUDGET, int(TOGETHER_SHARE * core * min(threads, self.cores))),
            whole=max(LEAST_BUDGET, int(TOGETHER_SHARE * core * self.cores)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a relay carries of one room."""

    home: bool
    """Whether the room's stage is there: its channels are mixed there, elsewhere they are handed on."""
    listeners: int = 0
    over_tcp: int = 0
    """Of the listeners, those over TCP."""
    on_thrift: int = 0
    """Of the listeners, those who hear a channel in few bits."""
    stage: int = 0
    channels: int = 0
    """Channels of the floor that somebody hears there, or speaks in."""
    languages: int = 0
    """The same of languages."""
    thrifty: int = 0
    """The same of channels in few bits."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What each thing costs on one relay, by what its machine is measured to need."""

    costs: Costs = USUAL
    packet_ms: int = FRAME_MS
    """Milliseconds of sound in each packet to listeners."""
    bits_per_second: int = 32_000
    """Of each programme."""

    def listener(self) -> Work:
        """One more who hears a channel that is there already."""
        packets = -(-1000 // self.packet_ms)
        return Work(usual=packets, sending=packets)

    def thrifty_listener(self) -> Work:
        """One more who hears a channel in few bits that is there already."""
        packets = -(-1000 // THRIFT_PACKET_MS)
        return Work(usual=packets, sending=packets)

    def over_tcp(self) -> Work:
        """What a listener costs more over TCP than over UDP."""
        packets = self.listener().usual
        more = max(0, round(TCP_WRITE * min(packets, TCP_WRITES)) - packets)
        return Work(usual=more, sending=more)

    def stage(self, people: int) -> Work:
        """So many on one stage: usually one of them speaks, at most all that others have slots for."""
        microphones = self._packets(people * FRAMES * self.costs.microphone)
        usual, most = max(0, people - 1), people * min(SLOTS, max(0, people - 1))
        return Work(usual=microphones + usual * FRAMES, sending=microphones + most * FRAMES)

    def seat(self, others: int) -> Work:
        """One more on a stage where so many others are."""
        return self.stage(others + 1) - self.stage(others)

    def channel(self, *, home: bool, language: bool = False) -> Work:
        """A channel, whoever hears it.

        Who interprets speaks while the floor does, which is heard below: a language mixes where the floor would pass.
        What is made in few bits is mixed always, too.
        """
        passed = self._packets(FRAMES * self.costs.passed)
        if not home:
            return Work(usual=passed, programme=passed)
        mixed, share = self._packets(FRAMES * self.costs.mixed()), 1.0 if language else MIXED_SHARE
        return Work(usual=round(mixed * share + passed * (1 - share)), programme=max(mixed, passed))

    def room(self, part: Part) -> Work:
        """A relay's whole part in a room."""
        floor = self.channel(home=part.home) * part.channels
        mixed = self.channel(home=part.home, language=True) * (part.languages + part.thrifty)
        listeners = self.listener() * (part.listeners - part.on_thrift) + self.over_tcp() * part.over_tcp
        thrift = self.thrifty_listener() * part.on_thrift
        return listeners + thrift + self.stage(part.stage) + floor + mixed

    def join(self) -> int:
        """One person coming in: work that is done once."""
        return self._packets(self.costs.join)

    def core(self) -> float:
        """What one core does."""
        return 1e6 / self.costs.packet

    def _packets(self, microseconds: float) -> int:
        return -(-round(microseconds * 1000) // max(1, round(self.costs.packet * 1000)))


NOTHING: Final = Work()
UNKNOWN: Final = Limits()
