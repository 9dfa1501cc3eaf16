"""The short code of a trial: what worked on somebody's way to a hall, for them to read out and an operator to read.

Ten letters and digits of Crockford's alphabet: forty bits of outcomes, the version first, and ten bits by which a
misspelling is told. Nothing in it says who tried, where from or when. `web/src/reach/code.ts` makes the same ones.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VERSION: Final = 1
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LETTERS: Final = 10
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
_CHECK_BITS = 10
_CHECK_POLYNOMIAL = 0x233


class Outcome(StrEnum):
    """What became of one way; a code has its place in this list."""

    UNTRIED = "untried"
    WORKS = "works"
    NOTHING = "nothing"
    """Nothing came back."""
    SILENT = "silent"
    """It connected, and no sound came."""
    LATE = "late"
    """It came, held up on its way: too late or in lumps."""
    REFUSED = "refused"
    """The server had no place for a trial."""
    CANNOT = "cannot"
    """Not offered there, or the device or program has no way to try it."""
    FAILED = "failed"


class Came(StrEnum):
    """Who tried."""

    PAGE = "page"
    COMMAND = "command"


class Secure(StrEnum):
    """What was seen of TLS."""

    UNKNOWN = "unknown"
    TLS = "tls"
    PLAIN = "plain"
    REFUSED = "refused"


class Clock(StrEnum):
    """The device's clock beside the server's."""

    UNKNOWN = "unknown"
    RIGHT = "right"
    AHEAD = "ahead"
    FAR_AHEAD = "far_ahead"
    BEHIND = "behind"
    FAR_BEHIND = "far_behind"


class Name(StrEnum):
    """Whether the server's name leads to an address."""

    UNKNOWN = "unknown"
    FOUND = "found"
    LOST = "lost"


RUNGS: Final = ("udp", "tcp", "turn", "https", "socket", "events")
ROUND_TRIPS: Final = (50, 150, 300, 600, 1500)
"""Milliseconds: a code says between which of these the round trip lay."""
LOSSES: Final = (0.5, 2.0, 5.0, 15.0)
"""Percent."""
GAPS: Final = (800, 1500, 3000)
"""Milliseconds between two pieces of the tone over HTTPS, the longest."""
_BUCKETS = {"round_trip": ROUND_TRIPS, "loss": LOSSES, "gap": GAPS}


class CodeInvalid(ValueError):
    """The text is no code: `why` is length, letters, check or version."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a code says."""

    came: Came = Came.PAGE
    secure: Secure = Secure.UNKNOWN
    name: Name = Name.UNKNOWN
    clock: Clock = Clock.UNKNOWN
    udp: Outcome = Outcome.UNTRIED
    tcp: Outcome = Outcome.UNTRIED
    turn: Outcome = Outcome.UNTRIED
    https: Outcome = Outcome.UNTRIED
    socket: Outcome = Outcome.UNTRIED
    events: Outcome = Outcome.UNTRIED
    round_trip: int = 0
    """Which of the steps between ROUND_TRIPS, from 1; 0 where it is not known. Likewise the next two."""
    loss: int = 0
    gap: int = 0

    @property
    def verdict(self) -> str:
        """What somebody there can do: calls, calls_tcp, calls_turn, web_both, web, text, busy or none."""
        calls = (("calls", self.udp), ("calls_tcp", self.tcp), ("calls_turn", self.turn))
        for verdict, outcome in calls:
            if outcome is Outcome.WORKS:
                return verdict
        if self.https is Outcome.WORKS:
            # Where WebSockets are blocked people speak in pieces, by requests such as the page's own.
            return "web" if self.socket in (Outcome.UNTRIED, Outcome.CANNOT) else "web_both"
        if self.events is Outcome.WORKS:
            return "text"
        return "busy" if Outcome.REFUSED in (self.udp, self.tcp, self.https, self.events) else "none"


_FIELDS: Final[tuple[tuple[str, int, tuple[StrEnum, ...]], ...]] = (
    ("came", 1, tuple(Came)),
    ("secure", 2, tuple(Secure)),
    ("name", 2, tuple(Name)),
    ("clock", 3, tuple(Clock)),
    *((rung, 3, tuple(Outcome)) for rung in RUNGS),
    ("round_trip", 3, ()),
    ("loss", 3, ()),
    ("gap", 3, ()),
)
_VERSION_BITS = 3
_SPARE_BITS = 40 - _VERSION_BITS - sum(bits for _, bits, _ in _FIELDS)


def step(name: str, value: float | None) -> int:
    """Which of the steps of round_trip, loss or gap a measured number lies in; 0 for none."""
    return 0 if value is None else 1 + sum(value >= each for each in _BUCKETS[name])


def between(name: str, number: int) -> tuple[float, float | None]:
    """From where to where a step goes; None for no end."""
    edges = (0.0, *_BUCKETS[name])
    return edges[number - 1], edges[number] if number < len(edges) else None


def write(reached: Reached) -> str:
    """The code, in two groups of five."""
    number = VERSION
    for name, bits, kinds in _FIELDS:
        value = getattr(reached, name)
        number = (number << bits) | (kinds.index(value) if kinds else min(value, 2**bits - 1))
    number <<= _SPARE_BITS
    number = (number << _CHECK_BITS) | _check(number)
    letters = "".join(ALPHABET[(number >> 5 * at) & 31] for at in reversed(range(LETTERS)))
    return f"{letters[:5]}-{letters[5:]}"


def read(text: str) -> Reached:
    """What a code says, however it is grouped and whatever its case. Raises CodeInvalid."""
    letters = text.upper().translate(_READ_AS)
    if len(letters) != LETTERS:
        raise CodeInvalid("length")
    if any(each not in ALPHABET for each in letters):
        raise CodeInvalid("letters")
    number = 0
    for each in letters:
        number = number << 5 | ALPHABET.index(each)
    told, number = number & (2**_CHECK_BITS - 1), number >> _CHECK_BITS
    if told != _check(number):
        raise CodeInvalid("check")
    if number >> (40 - _VERSION_BITS) != VERSION:
        raise CodeInvalid("version")
    number >>= _SPARE_BITS
    found: dict[str, StrEnum | int] = {}
    for name, bits, kinds in reversed(_FIELDS):
        value, number = number & (2**bits - 1), number >> bits
        if kinds and value >= len(kinds):
            raise CodeInvalid("version")
        found[name] = kinds[value] if kinds else value
    return Reached(**found)  # type: ignore[arg-type]


def _check(number: int) -> int:
    """A CRC of ten bits: each wrong letter and each two that changed places are told."""
    rest: int = 2**_CHECK_BITS - 1
    for at in reversed(range(40)):
        bit = (number >> at & 1) ^ (rest >> _CHECK_BITS - 1)
        rest = (rest << 1) & (2**_CHECK_BITS - 1)
        if bit:
            rest ^= _CHECK_POLYNOMIAL
    return rest
