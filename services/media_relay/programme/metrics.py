"""What the relay shows of its channels: how many of each kind, who hears them, who went from one to another."""

from collections.abc import Callable, Iterable, Iterator

from services.common.sight.metrics import Metrics
from services.media_relay.domain.permits import Kind
from services.media_relay.domain.sessions import SessionTable
from services.media_relay.programme.room_media import (
    SWITCHED_BY_CHOICE,
    SWITCHED_BY_HOME,
    SWITCHED_BY_ROOM,
    RoomMediaTable,
)
from services.programme.channels import ChannelKind, kind_of

_PREFIX = "majlis_media_relay_"


def switches(metrics: Metrics) -> Callable[[str], None]:
    """Counts listeners who go from one channel to another, by cause."""
    counter = metrics.counter(
        f"{_PREFIX}switches_total", "Listeners moved from channel to channel without a break, by cause.", ("cause",)
    )
    for cause in (SWITCHED_BY_HOME, SWITCHED_BY_CHOICE, SWITCHED_BY_ROOM):
        counter.labels(cause)
    return lambda cause: counter.labels(cause).inc()


def show_channels(metrics: Metrics, media: RoomMediaTable, sessions: SessionTable) -> None:
    """Mixers are the packet core's own number; a channel has one while somebody listens at the relay of its stage."""
    channels = metrics.gauge(
        f"{_PREFIX}channels", "Channels here, mixed or from the bus, by what they carry.", ("channel_kind",)
    )
    listeners = metrics.gauge(
        f"{_PREFIX}listeners", "Connected listeners, by what the channel carries that they hear.", ("channel_kind",)
    )
    for kind in ChannelKind:
        channels.labels(kind.value).set_function(_counting(media.names, kind))
        listeners.labels(kind.value).set_function(_counting(lambda: _heard(sessions), kind))


def _heard(sessions: SessionTable) -> Iterator[str]:
    # Called by the thread that serves /metrics: iterating takes a copy.
    return (each.channel for each in sessions if each.kind is Kind.AUDIENCE and each.connected)


def _counting(names: Callable[[], Iterable[str]], kind: ChannelKind) -> Callable[[], float]:
    return lambda: sum(kind_of(name) is kind for name in names())
