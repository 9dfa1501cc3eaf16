"""What the relay can be told."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from services.common.forms import ADDRESS, LISTEN, OWN_ADDRESS, REGION
from services.common.ids import is_id
from services.common.net import split_address
from services.common.settings import ServiceSettings, SettingsError, Within, WrongSetting
from services.media_relay.domain.capacity import MAX_ENCODER_EFFORT, MAX_PROGRAMME_THREADS, MAX_SENDER_THREADS
from services.media_relay.domain.ladder import LadderSetting
from services.media_relay.domain.media import MediaAddresses

PREFIX = "MEDIA_RELAY"


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    relay_id: str = "relay00000"
    """Name of this relay in the fleet: 10 to 32 of a-z and 0-9, the same at each start, different for each relay."""
    bind: Annotated[tuple[str, ...], LISTEN] = ("127.0.0.1:0",)
    """Addresses of the one port for media, host:port each; port 0 lets the system choose."""
    advertise: tuple[str, ...] = ()
    """Where clients reach that port, preferred first: IP or name, with :port where it differs. Default: as bound."""
    grpc_advertise: Annotated[str, OWN_ADDRESS] = ""
    """host:port at which other services reach grpc_listen; default: the address it listens on."""
    region: Annotated[str, REGION] = ""
    """Where it stands, parts from the wide to the narrow, like eu-west-1: people near by come here first."""
    room_directory_address: Annotated[str, ADDRESS]
    """gRPC address of the service that signs permits and owns the rooms, host:port."""
    packets_per_second_budget: Annotated[int | None, Within(1000)] = None
    """Packets a second this relay may send; default: 75 % of what the machine is measured to manage at start."""
    audience_packet_ms: Literal["20", "40", "60"] = "20"
    """Milliseconds of sound in each packet to listeners: longer ones cost the relay less and delay listeners more."""
    programme_bits_per_second: Annotated[int, Within(6_000, 128_000)] = 32_000
    """Bit rate of each programme."""
    ladder: LadderSetting = "auto"
    """How it sheds load in trouble: by steps and by itself, or always at this step."""
    sender_threads: Annotated[int | None, Within(1, MAX_SENDER_THREADS)] = None
    """Threads that send to audiences, 1 to 16; default: one fewer than the cores this process may use, at least one."""
    programme_threads: Annotated[int | None, Within(1, MAX_PROGRAMME_THREADS)] = None
    """Threads that mix and play out programmes, 1 to 16; default: as many as send to audiences by default."""
    encoder_effort: Annotated[int, Within(0, MAX_ENCODER_EFFORT)] = 10
    """How hard encoders may work, 0 to 10; while there is much to do they are let work less hard by themselves."""
    tcp: Literal["on", "off"] = "on"
    """Whether the media port's number takes TCP connections too (RFC 6544), from people whose network blocks UDP."""
    tcp_connections_per_source: Annotated[int, Within(1)] = 1024
    """Such connections from one source (an IPv4 address or an IPv6 /64) at a time."""
    handshakes_per_source_per_second: Annotated[int, Within(1)] = 200
    """New sessions' handshakes taken from one source (an IPv4 address or an IPv6 /64) in a second."""
    half_open_sessions: Annotated[int, Within(1)] = 256
    """Listeners that may be connecting at once; more wait in turn, or are told when to come back."""
    drain_seconds: Annotated[float, Within(0, 3600)] = 8.0
    """How long sessions may move to other relays once this one is told to stop; alone, it stops at once."""

    def __post_init__(self) -> None:
        if not is_id(self.relay_id):
            raise WrongSetting(
                f"is not allowed to be {self.relay_id!r}: it must be 10 to 32 of a-z and 0-9", "relay_id"
            )
        if not self.bind:
            raise WrongSetting("needs at least one address", "bind")


def media_addresses(
    advertise: Sequence[str], bound: Sequence[tuple[str, int]], tcp: Sequence[tuple[str, int]] = ()
) -> MediaAddresses:
    """The addresses clients are told, preferred first. Raises SettingsError when none can be told.

    `tcp` are those of `bound` that take TCP connections: clients are told so where there is one of the same family.
    """
    if not advertise:
        known = [(host, port) for host, port in bound if not ipaddress.ip_address(host).is_unspecified]
        if not known:
            raise SettingsError("MEDIA_RELAY_ADVERTISE must be set: the media port is bound to every address")
        return MediaAddresses(known, [each for each in known if each in tcp])
    addresses: list[tuple[str, int]] = []
    for text in advertise:
        host, port = _advertised(text, bound[0][1])
        addresses += [pair for pair in _resolve(host, port) if pair not in addresses]
    families = {ipaddress.ip_address(host).version for host, _ in tcp}
    return MediaAddresses(addresses, [each for each in addresses if ipaddress.ip_address(each[0]).version in families])


def _advertised(text: str, default_port: int) -> tuple[str, int]:
    try:
        return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))), default_port
    except ValueError:
        pass
    if ":" not in text:
        return text, default_port
    try:
        return split_address(text)
    except ValueError as error:
        raise SettingsError(f"MEDIA_RELAY_ADVERTISE: {error}") from error


def _resolve(host: str, port: int) -> list[tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise SettingsError(f"MEDIA_RELAY_ADVERTISE: {host} cannot be resolved ({error})") from error
    return [(str(sockaddr[0]), int(sockaddr[1])) for *_, sockaddr in found]
