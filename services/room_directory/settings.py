"""What room_directory can be told."""

import socket
from dataclasses import dataclass
from typing import Annotated, Literal

from services.common.forms import ADDRESS, DATABASE_URL, HOST_NAME, OWN_ADDRESS
from services.common.net import split_address
from services.common.settings import LONGEST_DAYS, LONGEST_SECONDS, ServiceSettings, Within, WrongSetting
from services.room_directory.app.ports import Limits
from services.room_directory.domain.choosing import Placement
from services.room_directory.domain.placement import STALE_SECONDS
from services.room_directory.domain.seats import Rules

WILDCARDS = ("0.0.0.0", "::")


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """Settings of room_directory."""

    grpc_advertise: Annotated[str, OWN_ADDRESS] = ""
    """How gateways and other copies reach this one's gRPC, host:port; else grpc_listen, or this machine's name. Needed
    where several copies share a database."""
    peer_name: Annotated[str, HOST_NAME] = ""
    """Name in the certificates of this service's copies, where it is not the host of their addresses."""
    invite_address: Annotated[str, ADDRESS] = ""
    """gRPC address of invite, host:port; without it, redeemed invitations open no closed room."""
    database_url: Annotated[str, DATABASE_URL] = "sqlite+aiosqlite:///var/room_directory/room_directory.db"
    """Database of rooms: sqlite+aiosqlite:///file or postgresql://..."""
    database_schema: str = "room_directory"
    """Schema of the tables on PostgreSQL."""
    hand_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 60.0
    """How long a hand stays up."""
    hand_limit: Annotated[int, Within(1)] = 200
    """How many hands may be up in one room."""
    hands_per_minute: Annotated[int, Within(1)] = 6
    """How often one person may raise a hand in one room."""
    offer_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 30.0
    """How long an offer of the stage stands."""
    stage_limit: Annotated[int, Within(1)] = 50
    """How many people may be on one stage."""
    listener_limit: Annotated[int, Within(1)] = 5000
    """How many people may listen in one room."""
    web_listener_limit: Annotated[int, Within(0, 1_000_000)] = 1000
    """How many may hear one room over the web that its moderators opened to it; 0 lets no room be opened."""
    waiting_limit: Annotated[int, Within(1)] = 50_000
    """How many people may wait before full rooms, in all of them together: about half a kilobyte each."""
    entries_per_second: Annotated[float, Within(1)] = 250.0
    """How many newcomers a second come in, after a burst of twice as many; the others wait in line."""
    rooms_led_limit: Annotated[int, Within(1)] = 3
    """How many live rooms one person may lead."""
    lost_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 60.0
    """How long a seat outlives its connection; while people wait, also how long one lasts that never had sound."""
    hold_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 60.0
    """How long a room waits for a moderator before a successor leads or the stage closes."""
    closing_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 300.0
    """How long a room with a closed stage lasts."""
    empty_seconds: Annotated[float, Within(1, LONGEST_SECONDS)] = 300.0
    """How long a room with nobody in it lasts."""
    permit_seconds: Annotated[float, Within(1, 60)] = 15.0
    """Life of a media permit."""
    key_rotation_days: Annotated[int, Within(1, LONGEST_DAYS)] = 30
    """Days after which permits are signed with a new key; the one before still verifies until the next."""
    relay_share: Annotated[float, Within(0.01, 1)] = 1.0
    """Share of the budget a relay reports that may be given away; relays report three quarters of their ceiling."""
    placement: Literal["spread", "fill"] = "spread"
    """Spread listeners over relays, or fill the lowest numbers first: an autoscaler takes the highest away."""
    relay_lost_seconds: Annotated[float, Within(STALE_SECONDS, LONGEST_SECONDS)] = 3.0
    """A relay silent for so long is given up, and what it carried moves."""
    reports_per_hour: Annotated[int, Within(1)] = 10
    """How many reports one person may write."""

    ended_room_days: Annotated[int, Within(0, LONGEST_DAYS)] = 90
    """Days that a room is kept after its end; 0 for ever."""
    resolved_report_days: Annotated[int, Within(0, LONGEST_DAYS)] = 365
    """Days that a report is kept once it is resolved, from when it was written; 0 for ever."""
    audit_days: Annotated[int, Within(0, LONGEST_DAYS)] = 730
    """Days that the audit keeps an act; 0 for ever."""

    def __post_init__(self) -> None:
        """Raises WrongSetting for an address that others cannot be sent to."""
        # Gateways and other copies are sent there: a wrong one would lose every room that this copy owns.
        if self.grpc_advertise and split_address(self.grpc_advertise)[0] in WILDCARDS:
            raise WrongSetting(
                f"is not allowed to be {self.grpc_advertise!r}: it must be {OWN_ADDRESS}", "grpc_advertise"
            )

    def address(self, port: int) -> str:
        """How other copies reach this one, which listens on `port`."""
        host = self.grpc_listen.rpartition(":")[0]
        # A wildcard would be every copy's.
        here = socket.gethostname() if host in ("", "[::]", *WILDCARDS) else host
        if not self.grpc_advertise:
            return f"{here}:{port}"
        host, port = split_address(self.grpc_advertise)
        # An IPv6 address of a pod comes without its brackets.
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def rules(self) -> Rules:
        """The numbers of the rules."""
        return Rules(
            hand_seconds=self.hand_seconds,
            hand_limit=self.hand_limit,
            offer_seconds=self.offer_seconds,
            stage_limit=self.stage_limit,
            listener_limit=self.listener_limit,
            web_listener_limit=self.web_listener_limit,
            lost_seconds=self.lost_seconds,
            hold_seconds=self.hold_seconds,
            closing_seconds=self.closing_seconds,
            empty_seconds=self.empty_seconds,
        )

    def limits(self) -> Limits:
        """The numbers of the use cases."""
        return Limits(
            rooms_led=self.rooms_led_limit,
            waiting=self.waiting_limit,
            entries_per_second=self.entries_per_second,
            relay_share=self.relay_share,
            placement=Placement(self.placement),
            permit_seconds=self.permit_seconds,
            hands_per_minute=self.hands_per_minute,
            reports_per_hour=self.reports_per_hour,
            relay_lost_seconds=self.relay_lost_seconds,
        )
