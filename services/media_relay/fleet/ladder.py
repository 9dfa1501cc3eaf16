"""Climbs the ladder by what the relay measures, and applies each step to the channels that are there."""

from collections.abc import Callable
from typing import Literal, Protocol

from services.common.clock import Clock
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.media_relay.domain.capacity import Capacity
from services.media_relay.domain.ladder import Ladder, LadderOrders, LadderSetting, Shape, Step

LOOK_SECONDS = 1.0
PRESSED_SHARE = 0.95
"""Share of its budget that a relay does: more than newcomers can bring it to."""
CALM_SHARE = 0.8
"""Share that it may come to one step down."""
PRESSED_LAG_SECONDS = 0.5
"""Lateness of the loop within each second that is trouble: RPCs wait as long."""
CALM_LAG_SECONDS = 0.1

Cause = Literal["measured", "setting", "order"]
"""What holds a relay at its step."""

_log = get_logger("ladder")


class Readings(Protocol):
    """What was measured in the last second."""

    @property
    def packets_per_second(self) -> int:
        """Sent."""
        ...

    @property
    def fewer_bits_spare(self) -> bool:
        """Whether a bit rate below that of microphones would spare anything: else lone speakers had to be mixed."""
        ...

    def note_ladder(self, cause: Cause, lag_seconds: float) -> None:
        """Takes what heartbeats say of the ladder beside its step."""
        ...


class Lag(Protocol):
    """Lateness of the loop."""

    async def tick(self) -> None:
        """To be called a few times a second."""
        ...

    def take(self) -> float:
        """The most since this was called last, seconds."""
        ...


class Shedding:
    """Looks each second. Promises stay as they are: longer packets are to spare those inside, not to let more in."""

    def __init__(
        self,
        capacity: Capacity,
        readings: Readings,
        loop_lag: Lag,
        apply: Callable[[Shape], None],
        shape: Shape,
        *,
        setting: LadderSetting,
        orders: LadderOrders,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """`apply` gives all channels a shape, now and later."""
        self._capacity = capacity
        self._readings = readings
        self.loop_lag = loop_lag
        self.apply = apply
        self._shape = shape
        self._clock = clock
        self._ladder = Ladder(shape.steps(), setting)
        self._orders = orders
        self._ordered: Step | None = None
        self._lag = 0.0
        metrics.gauge(
            "majlis_media_relay_ladder_step",
            "Step of the ladder: 0 none, 1 no redundancy, 2 and 3 packets of 40 and 60 ms, 4 and 5 24 and 16 kbit/s, "
            "7 newcomers wait, 8 doors pause.",
        ).set_function(lambda: int(self._ladder.step))
        held = metrics.gauge("majlis_media_relay_ladder_held", "Whether a setting or an order holds it at its step.")
        held.set_function(lambda: self._cause != "measured")
        lag = metrics.gauge("majlis_media_relay_loop_lag_seconds", "The most that its loop was late in a second.")
        lag.set_function(lambda: self._lag)
        self._take(why=setting)

    async def look(self) -> None:
        """Takes a reading, and does what operators ordered."""
        self._lag = self.loop_lag.take()
        self._obey()
        self._measure(self._lag)
        self._readings.note_ladder(self._cause, self._lag)

    @property
    def _cause(self) -> Cause:
        return "order" if self._ordered is not None else "setting" if self._ladder.is_set else "measured"

    def _obey(self) -> None:
        ordered = self._orders.standing(self._clock.now())
        if ordered is self._ordered:
            return
        self._ordered = ordered
        _log.info("order of an operator", step="released" if ordered is None else ordered.name.lower())
        if self._ladder.order(ordered):
            self._take(why="order")

    def _measure(self, lag: float) -> None:
        capacity, ladder = self._capacity, self._ladder
        share, share_below = self._shares()
        # An operator's own budget asks nothing of the threads.
        strained = capacity.strained and capacity.limits.whole > 0
        pressed = strained or share >= PRESSED_SHARE or lag >= PRESSED_LAG_SECONDS
        calm = not strained and share_below <= CALM_SHARE and lag <= CALM_LAG_SECONDS
        skip = () if self._readings.fewer_bits_spare else (Step.BITS_16000,)
        if ladder.note(self._clock.monotonic(), pressed=pressed, calm=calm, skip=skip):
            late = pressed and not strained and share < PRESSED_SHARE
            self._take(why="strained" if strained else "late" if late else "busy" if pressed else "calm")

    def _shares(self) -> tuple[float, float]:
        """What is done of the budget, here and about one step down."""
        capacity, ladder, sent = self._capacity, self._ladder, self._readings.packets_per_second
        limits = capacity.limits
        if not limits.usual:
            return 0.0, 0.0
        done = capacity.measured if limits.whole else sent
        more = sent * (self._shape.at(ladder.taken).packet_ms / self._shape.at(ladder.taken_below).packet_ms - 1)
        return done / limits.usual, (done + more) / limits.usual

    def _take(self, why: str) -> None:
        step = self._ladder.step
        shape = self._shape.at(self._ladder.taken)
        self._capacity.ladder_step = int(step)
        self.apply(shape)
        _log.info(
            "step of the ladder",
            step=step.name.lower(),
            why=why,
            packet_ms=shape.packet_ms,
            bits_per_second=shape.bits_per_second,
            redundancy=shape.redundancy,
        )
