"""What may be done to parts of a running system, in which order a seed does it, and what must be seen then."""

import random
from dataclasses import dataclass, field

CALM_GAP_SECONDS = 0.2
"""Sound that never stops: no listener waits longer for the next frame."""
BACK_SECONDS = 5.0
BUS_BACK_SECONDS = 10.0
RELAY_GAP_P95_SECONDS = 4.0
"""The stage speaks again, and whoever heard it there or through that relay hears by then at the latest."""
AUDIENCE_GAP_P95_SECONDS = 3.0
RELAY_GAP_P99_SECONDS = 6.0
DRAIN_GAP_SECONDS = 0.2
FRAME_SECONDS = 0.02

HOME, SPARE, AUDIENCE = "home relay", "spare relay", "audience relay"
"""Home of the first room's stage; another one, home of other rooms; one that carries listeners and no stage."""
RELAYS = (HOME, SPARE, AUDIENCE)
SERVICES = ("auth", "invite", "room_directory", "gateway", "nats")
WAYS = ("kill", "freeze", "restart")


@dataclass(frozen=True)
class Blow:
    """One thing that happens to one part."""

    way: str
    """kill (SIGKILL), freeze (SIGSTOP, then SIGCONT) or restart (SIGTERM)."""
    part: str
    frozen: float = 0.0
    """Seconds."""

    def __str__(self) -> str:
        return f"{self.way} {self.part}" + (f" {self.frozen:.1f} s" if self.frozen else "")


def blows(seed: int) -> list[Blow]:
    """Every way and every part once, in an order that only the seed decides; a killed relay comes early."""
    chance = random.Random(seed)
    deck = [Blow(way, part) for way in WAYS for part in (*SERVICES, HOME, SPARE) if (way, part) != ("kill", HOME)]
    chance.shuffle(deck)
    # What matters most happens in a short run too.
    deck.insert(chance.randrange(3), Blow("kill", HOME))
    return [Blow(each.way, each.part, chance.uniform(1.0, 3.0) if each.way == "freeze" else 0.0) for each in deck]


@dataclass(frozen=True)
class Seen:
    """What was seen of a blow."""

    blow: Blow
    gaps: list[float]
    """The longest wait for a frame, in seconds, of each listener it may touch: of a relay's those whose own or whose
    room's it is, of any other part all."""
    lost: int
    """Frames that all of them together did not hear."""
    hearing: int
    """Listeners who hear in the end."""
    back: float
    """Seconds until a command was carried out again, counted from the end of a freeze; infinite if none was."""
    forgotten: str = ""
    """What was acknowledged and is not there."""
    stall: float = 0.0
    """The longest time for which this very tool stood still: no gap is told from it."""
    others: list[float] = field(default_factory=list)
    """The longest waits of all other listeners."""

    @property
    def to_relay(self) -> bool:
        """Whether a relay stood still: its listeners are forgiven a while."""
        return self.blow.part in RELAYS and self.blow.way != "restart"

    @property
    def untouched(self) -> list[float]:
        """Of those whose sound may not stop."""
        return self.others if self.to_relay else [*self.gaps, *self.others]

    @property
    def listeners(self) -> int:
        return len(self.gaps) + len(self.others)

    def gap(self, share: float) -> float:
        """The gap that this share of the listeners it may touch stayed at or below."""
        return self.share_of(self.gaps, share)

    @staticmethod
    def share_of(gaps: list[float], share: float) -> float:
        """The gap that this share of some stayed at or below; 0 where there are none."""
        return sorted(gaps)[min(len(gaps) - 1, int(len(gaps) * share))] if gaps else 0.0


def broken(seen: Seen) -> list[str]:
    """The bars that a blow broke, in words."""
    result = []
    for share, most in gap_bars(seen.blow).items():
        if (gap := seen.gap(share)) > most + seen.stall:
            result.append(f"gap p{share * 100:.0f} {gap:.2f} s > {most:.1f} s")
    if (gap := seen.share_of(seen.others, 0.99)) > CALM_GAP_SECONDS + seen.stall:
        result.append(f"elsewhere gap p99 {gap:.2f} s > {CALM_GAP_SECONDS:.1f} s")
    if (deaf := seen.listeners - seen.hearing) > 0:
        result.append(f"{deaf} do not hear")
    most = BUS_BACK_SECONDS if seen.blow.part == "nats" else BACK_SECONDS
    if seen.back > most + seen.stall:
        result.append(f"commands back after {seen.back:.1f} s > {most:g} s")
    if seen.forgotten:
        result.append(f"lost: {seen.forgotten}")
    return result


def gap_bars(blow: Blow) -> dict[float, float]:
    """How long listeners may wait for a frame, by share of them."""
    if blow.part not in RELAYS:
        return {0.99: CALM_GAP_SECONDS}
    if blow.way == "restart":
        return {0.99: DRAIN_GAP_SECONDS}
    p95 = AUDIENCE_GAP_P95_SECONDS if blow.part == AUDIENCE else RELAY_GAP_P95_SECONDS
    return {0.95: blow.frozen + p95, 0.99: blow.frozen + RELAY_GAP_P99_SECONDS}


def table(all_seen: list[Seen]) -> str:
    """The blows as people read them."""
    head = f"{'what':<28} {'gap p50':>8} {'p95':>6} {'p99':>6} {'lost':>6} {'back':>9} {'command':>8} {'stall':>6}"
    lines = [head]
    for seen in all_seen:
        gaps = f"{seen.gap(0.5):>6.2f} s {seen.gap(0.95):>6.2f} {seen.gap(0.99):>6.2f}"
        back = f"{seen.hearing}/{seen.listeners}"
        says = "; ".join(broken(seen)) or "held"
        lines.append(
            f"{seen.blow!s:<28} {gaps} {seen.lost:>6} {back:>9} {seen.back:>6.2f} s {seen.stall:>6.2f}  {says}"
        )
    return "\n".join(lines)
