"""Opens channels to services; under mutual TLS they follow the certificate files without failing a call."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc

from services.common.rpc.carrier import CarryingChannel
from services.common.settings import ServiceSettings
from services.common.sight.log import get_logger
from services.common.tasks import Background
from services.common.trust.certificates import CertificateFiles
from services.common.trust.tls import channel_credentials, service_files

Options = Sequence[tuple[str, Any]]

_OPTIONS: Options = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 1024 * 1024),
    # Calls are tried again by `Retries` alone.
    ("grpc.enable_retries", 0),
)

_LIFE_SIGNS: Options = (("grpc.keepalive_time_ms", 20_000), ("grpc.keepalive_timeout_ms", 5_000))
# Together as long as a copy that is frozen keeps its rooms: its calls fail when the next owner can take them.
_LIFE_SIGNS_OF_COPIES: Options = (
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    # What the library waits for an answer by, a minute if it is not told.
    ("grpc.http2.ping_timeout_ms", 2_000),
)

# Calls are over within seconds; a stream that is older than this is cut, and its reader resumes on the new channel.
FAREWELL_SECONDS = 600.0

_log = get_logger("rpc")


def open_channel(
    address: str,
    settings: ServiceSettings,
    proof: Iterable[tuple[str, str]] = (),
    *,
    known_as: str = "",
    has_copies: bool = False,
) -> grpc.aio.Channel:
    """A channel to the service at `address`, under mutual TLS when the settings name certificates.

    Its unary calls share a stream (`CarryingChannel`), for which `proof` is the metadata that proves whose it is.

    `known_as` is the name that its certificate must bear where the address is that of one copy among several. Where a
    service `has_copies`, one that stands still is given up soon: another answers.

    Raises SettingsError when they cannot be used.
    """
    files = service_files(settings)
    options = (*_OPTIONS, *(_LIFE_SIGNS_OF_COPIES if has_copies else _LIFE_SIGNS))
    if known_as:
        options = (*options, ("grpc.ssl_target_name_override", known_as))
    if files is None:
        return CarryingChannel(grpc.aio.insecure_channel(address, options=options), proof)

    def make() -> grpc.aio.Channel:
        return CarryingChannel(grpc.aio.secure_channel(address, channel_credentials(files), options=options), proof)

    return FollowingChannel(files, make)


@dataclass(eq=False)
class _Made:
    """One channel with the certificates of its time."""

    channel: grpc.aio.Channel
    generation: int
    calls: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    in_use: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no call is in progress, from the end of the first one on."""


class FollowingChannel(grpc.aio.Channel):
    """A channel that makes itself anew when the certificate files changed.

    Calls begun before end on the channel they began on, which closes when the last one has ended; calls begun
    after use the new certificates. Stubs made of it need not know.
    """

    def __init__(self, files: CertificateFiles, make: Callable[[], grpc.aio.Channel]) -> None:
        self._files = files
        self._make = make
        self._background = Background()
        self._retired: set[_Made] = set()
        self._now = _Made(make(), files.generation)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Closes it; calls in progress have `grace` seconds to end."""
        await self._background.stop()
        made = [self._now, *self._retired]
        self._retired.clear()
        await asyncio.gather(*(each.channel.close(grace) for each in made))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The state of the channel that new calls use."""
        return self._current().channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Returns when the state differs; also when the channel waited on gave way to a new one."""
        made = self._current()
        await made.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Returns when calls can be sent at once."""
        await self._current().channel.channel_ready()

    # The generated stubs pass the arguments of gRPC's own channel, some of them by position.
    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "unary_unary", args, kwargs)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "unary_stream", args, kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "stream_unary", args, kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "stream_stream", args, kwargs)

    def _current(self) -> _Made:
        self._files.current()
        if self._files.generation != self._now.generation:
            before, self._now = self._now, _Made(self._make(), self._files.generation)
            self._retired.add(before)
            self._background.spawn("channel farewell", lambda: self._see_off(before))
        return self._now

    async def _see_off(self, made: _Made) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                if made.in_use:
                    await made.idle.wait()
        self._retired.discard(made)
        await made.channel.close()

    def _call(self, method: "_Method", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        made = self._current()
        call = made.calls.get(method.key)
        if call is None:
            call = made.calls[method.key] = getattr(made.channel, method.kind)(*method.args, **method.kwargs)
        begun = call(*args, **kwargs)
        made.in_use += 1
        made.idle.clear()

        def ended(_call: object) -> None:
            made.in_use -= 1
            if not made.in_use:
                made.idle.set()

        begun.add_done_callback(ended)
        return begun


class _Method:
    """What a stub calls for one RPC: begins each call on the channel of that moment."""

    def __init__(self, owner: FollowingChannel, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._owner = owner
        self.kind, self.args, self.kwargs = kind, args, kwargs
        self.key = (kind, *args, *kwargs.items())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._owner._call(self, args, kwargs)
