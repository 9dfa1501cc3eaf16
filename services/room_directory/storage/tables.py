"""The tables of room_directory."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from services.common.facts.cursors import FactCursors
from services.common.store.audit import AuditLog
from services.common.store.database import UtcDateTime

metadata = MetaData()

_ID = String(32)

rooms = Table(
    "rooms",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("request_id", _ID, nullable=False),
    Column("creator_id", _ID, nullable=False),
    Column("title", String(120), nullable=False),
    Column("description", String(400), nullable=False),
    Column("language", String(8), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("hand_mode", String(16), nullable=False),
    # Of release 0.3: what an older one beside it writes has none.
    Column("line_order", String(16), nullable=False, server_default="arrival"),
    # Of release 0.3: rooms of an older one beside it do not rehearse.
    Column("rehearsal", Boolean, nullable=False, server_default=false()),
    # Of release 0.3: what an older one beside it writes is not open to the web.
    Column("open_to_web", Boolean, nullable=False, server_default=false()),
    Column("web_listener_limit", Integer, nullable=False, server_default="0"),
    Column("room_key", String(64), nullable=False),
    Column("home_relay_id", _ID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_since", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=True),
    Column("revision", BigInteger, nullable=False),
    Column("queue_revision", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False),
    Column("epoch_ceiling", BigInteger, nullable=False),
    # Of release 0.3: the newest owner's, by which older ones are refused.
    Column("term", BigInteger, nullable=False, server_default="1"),
    UniqueConstraint("creator_id", "request_id", name="uq_rooms_request"),
    Index("ix_rooms_state", "state"),
    Index("ix_rooms_ended", "ended_at"),
    Index("ix_rooms_creator", "creator_id"),
)

stage_seats = Table(
    "stage_seats",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("user_id", _ID, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("member", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("muted", Boolean, nullable=False),
    Column("muted_by_moderator", Boolean, nullable=False),
    Column("successor", Boolean, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("lost_at", UtcDateTime, nullable=True),
    # Of release 0.3: what an older one beside it writes sits in no booth.
    Column("booth", String(8), nullable=False, server_default=""),
    Column("booth_since", UtcDateTime, nullable=True),
    Column("active", Boolean, nullable=False, server_default=false()),
    Column("heard_since", UtcDateTime, nullable=True),
    Column("hears", String(8), nullable=False, server_default=""),
    # Of release 0.3: empty where an older one beside it wrote, and read as the language of the room.
    Column("speaks", String(8), nullable=False, server_default=""),
    UniqueConstraint("room_id", "member", name="uq_stage_seats_member"),
)

hands = Table(
    "hands",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("user_id", _ID, primary_key=True),
    Column("question", String(240), nullable=False),
    Column("raised_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # Of release 0.2: what an older one beside it writes has none.
    Column("language", String(8), nullable=False, server_default=""),
)

offers = Table(
    "offers",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("user_id", _ID, primary_key=True),
    Column("offer_id", _ID, nullable=False),
    Column("by_user_id", _ID, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # Of release 0.3: what an older one beside it writes is for the floor.
    Column("language", String(8), nullable=False, server_default=""),
)

booths = Table(
    "booths",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("language", String(8), primary_key=True),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("rule", String(16), nullable=False),
    Column("floor_after_seconds", Integer, nullable=False),
    Column("floor_level_db", Integer, nullable=False),
)

captioners = Table(
    "captioners",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("user_id", _ID, primary_key=True),
    # Separated by spaces.
    Column("languages", String(160), nullable=False),
    Column("muted", Boolean, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

guests = Table(
    "guests",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("user_id", _ID, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

removals = Table(
    "removals",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("user_id", _ID, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

floors = Table(
    "epoch_floors",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("user_id", _ID, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)

blocks = Table(
    "blocks",
    metadata,
    Column("blocker_id", _ID, primary_key=True),
    Column("blocked_id", _ID, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("report_id", _ID, primary_key=True),
    Column("room_id", _ID, nullable=False),
    Column("room_title", String(120), nullable=False),
    Column("reporter_id", _ID, nullable=False),
    Column("subject_id", _ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("resolved", Boolean, nullable=False),
    Column("resolution", Text, nullable=False),
    Index("ix_reports_created", "created_at", "report_id"),
)

relays = Table(
    "relays",
    metadata,
    Column("relay_id", _ID, primary_key=True),
    Column("boot_id", _ID, nullable=False),
    Column("grpc_address", String(255), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("ring", Text, nullable=False),
    Column("rotated_at", UtcDateTime, nullable=False),
)

leases = Table(
    "room_leases",
    metadata,
    Column("room_id", _ID, primary_key=True),
    Column("owner_id", _ID, nullable=False),
    Column("address", String(255), nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("lapses_at", UtcDateTime, nullable=False),
    Index("ix_room_leases_owner", "owner_id"),
)
"""Which copy owns which live room; by the database's clock alone. Empty where one copy is all there can be."""

copies = Table(
    "directory_copies",
    metadata,
    Column("copy_id", _ID, primary_key=True),
    Column("address", String(255), nullable=False),
    Column("rooms", Integer, nullable=False),
    Column("leaving", Boolean, nullable=False),
    Column("lapses_at", UtcDateTime, nullable=False),
)
"""The copies that run, each for as long as it says so."""

ladder_orders = Table(
    "ladder_orders",
    metadata,
    Column("relay_id", _ID, primary_key=True),
    Column("step", Integer, nullable=False),
    Column("reason", String(400), nullable=False),
    Column("operator_id", _ID, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
"""What operators ordered about the ladders of relays; the empty name stands for all that have no order of their own."""

ladder_changes = Table(
    "ladder_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
"""One row: when those orders changed last."""

audit = AuditLog(metadata)
fact_cursors = FactCursors(metadata)
