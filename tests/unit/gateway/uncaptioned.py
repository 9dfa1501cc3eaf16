"""A room in which nothing is written, for the tests of everything else that is watched."""

from majlis.room_directory.v1 import caption_pb2

from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.gateway.watch.captions import CaptionFeed, CaptionMetrics


def no_captions(background: Background) -> CaptionFeed:
    """Its captions."""

    async def sync(_language: str, known: list[caption_pb2.Caption]) -> tuple[list[caption_pb2.Caption], int]:
        return known, 1

    return CaptionFeed("room000000000001", sync, background, CaptionMetrics(Metrics("gateway")))
