"""What operators want to count."""

from services.common.sight.metrics import Metrics
from services.invite.domain.doors import DoorState, Pace
from services.invite.domain.headroom import Headroom

_STATES = {DoorState.PAUSED: 0, DoorState.PACED: 1, DoorState.OPEN: 2}


class PrometheusCounters:
    """What operators want to count, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._redemptions = metrics.counter("majlis_invite_redemptions_total", "Tries to redeem.", ("result",))
        self._invitations = metrics.counter("majlis_invite_invitations_total", "What became of invitations.", ("what",))
        self._limited = metrics.counter(
            "majlis_invite_rate_limited_total", "Calls refused by a rate limit.", ("limit",)
        )

        self._state = metrics.gauge("majlis_invite_doors_state", "0 paused, 1 paced, 2 open.")
        self._pace = metrics.gauge("majlis_invite_doors_newcomers_per_minute", "Newcomers a minute that may come in.")
        self._line = metrics.gauge("majlis_invite_line_waiting", "People who look before the doors.")
        self._places = metrics.gauge("majlis_invite_line_places", "Places kept before the doors, of closed pages too.")
        self._known = metrics.gauge("majlis_invite_headroom_known", "1 while relays are heard that serve listeners.")
        self._loads = metrics.counter(
            "majlis_invite_relay_loads_dropped_total",
            "Loads of relays that were not taken in: of relays not known while many such are told of.",
            ("why",),
        )
        self._free = metrics.gauge("majlis_invite_headroom_seats", "Seats of the fleet that newcomers can have.")

    def redemption(self, result: str) -> None:
        """One try to redeem."""
        self._redemptions.labels(result).inc()

    def invitations(self, what: str, count: int = 1) -> None:
        """Invitations that were created, revoked, expired, or whose claim was settled."""
        self._invitations.labels(what).inc(count)

    def rate_limited(self, limit: str) -> None:
        """A limit said no."""
        self._limited.labels(limit).inc()

    def load_gave_way(self, why: str) -> None:
        """A load that says to be a relay's was not looked at."""
        self._loads.labels(why).inc()

    def doors(self, pace: Pace, headroom: Headroom | None, waiting: int, places: int) -> None:
        """How the doors stand, what is known of the fleet, who waits, and how many places are kept."""
        self._state.set(_STATES[pace.state])
        self._pace.set(pace.a_minute)
        self._line.set(waiting)
        self._places.set(places)
        self._known.set(headroom is not None)
        self._free.set(0 if headroom is None else headroom.free)
