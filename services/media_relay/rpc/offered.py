"""What others may ask of a relay: each service of its contract, beside the others on one server."""

from collections.abc import Callable

from majlis.media_relay.v1 import (
    media_relay_service_pb2,
    media_relay_service_pb2_grpc,
    reach_service_pb2,
    reach_service_pb2_grpc,
    uplink_service_pb2,
    uplink_service_pb2_grpc,
)

from services.common.rpc.server import RpcServer
from services.media_relay.rpc.media_relay import MediaRelayRpc
from services.media_relay.rpc.reach import ReachRpc
from services.media_relay.rpc.uplink import UplinkRpc
from services.media_relay.sessions.speaking import Speaking
from services.media_relay.sessions.trying import Trying

QUIET = frozenset({"PutSound"})
"""What comes with the sound, dozens of times a second: it is in the log where it is refused."""


def offer(
    server: RpcServer, sessions: MediaRelayRpc, trying: Trying, speaking: Speaking, count_join: Callable[[str], None]
) -> None:
    """Adds them all. Raises PolicyMissing."""
    relay = media_relay_service_pb2.DESCRIPTOR.services_by_name["MediaRelayService"]
    server.add(sessions, media_relay_service_pb2_grpc.add_MediaRelayServiceServicer_to_server, relay)
    trials = reach_service_pb2.DESCRIPTOR.services_by_name["ReachService"]
    server.add(ReachRpc(trying), reach_service_pb2_grpc.add_ReachServiceServicer_to_server, trials)
    voices = uplink_service_pb2.DESCRIPTOR.services_by_name["UplinkService"]
    server.add(UplinkRpc(speaking, count_join), uplink_service_pb2_grpc.add_UplinkServiceServicer_to_server, voices)
