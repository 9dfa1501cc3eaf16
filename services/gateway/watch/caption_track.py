"""The captions of one language of a room as this gateway knows them, and which changed since a reader looked."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from majlis.gateway.v1 import caption_stream_service_pb2
from majlis.room_directory.v1 import caption_pb2

from services.gateway.messages.json_writer import to_json

KEPT_SECONDS = 600.0
UNFINISHED_SECONDS = 10.0
"""An interim caption that nobody changed for so long is over."""
MOST_KEPT = 500
_MOST_BUILT = 16
_SLACK_MICROSECONDS = 2_000_000
"""Owners of a room follow each other; their clocks differ a little."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some captions in the forms they are sent in, built once for all readers that lack the same."""

    until: int
    """What a reader who has these has seen."""
    count: int
    watch: bytes
    """A serialised WatchCaptionsResponse."""
    sse: bytes
    chunk: bytes
    """The server-sent event as one chunk of an HTTP/1.1 body (RFC 9112 §7.1)."""


class CaptionTrack:
    """Keeps the newest of each caption; a reader is one number: a slow one costs nothing and skips what is old."""

    def __init__(self) -> None:
        self.seen = 0
        """Rises with every change."""
        self._kept: OrderedDict[tuple[str, str], tuple[int, caption_pb2.Caption]] = OrderedDict()
        """By name, the one that changed last at the end."""
        self._built: dict[tuple[int, ...], Batch] = {}

    def merge(self, caption: caption_pb2.Caption, now: float) -> bool:
        """Takes a caption in at `now` (epoch seconds), unless it is old; says whether it is news."""
        name = caption.writer_id, caption.caption_id
        known = self._kept.get(name)
        if known is not None and micros(known[1].changed_at) >= micros(caption.changed_at):
            return False
        self.seen += 1
        self._kept[name] = (self.seen, caption)
        self._kept.move_to_end(name)
        self.expire(now)
        while len(self._kept) > MOST_KEPT:
            # The one that began first: it is the first to be too old as well.
            del self._kept[min(self._kept, key=lambda each: micros(self._kept[each][1].began_at))]
        return name in self._kept

    def expire(self, now: float) -> None:
        """Forgets what is over at `now` (epoch seconds)."""
        for name, (_, caption) in list(self._kept.items()):
            unfinished = not caption.final and not caption.hidden
            is_stale = unfinished and now - micros(caption.changed_at) / 1e6 > UNFINISHED_SECONDS
            if is_stale or now - micros(caption.began_at) / 1e6 > KEPT_SECONDS:
                del self._kept[name]

    def captions(self) -> list[caption_pb2.Caption]:
        """All of them, those that began first first."""
        return _in_order(caption for _, caption in self._kept.values())

    def since(self, seen: int) -> list[caption_pb2.Caption]:
        """Those that changed after a reader looked, those that began first first."""
        found = []
        for number, caption in reversed(self._kept.values()):
            if number <= seen:
                break
            found.append(caption)
        return _in_order(found)

    def first(self, after: int, now: float) -> Batch:
        """What a new reader needs: all that is shown, or what changed after a moment (epoch microseconds)."""
        self.expire(now)
        # A crowd that comes back together has read up to the same caption.
        return self._shared((self.seen, len(self._kept), after), lambda: self._first(after))

    def news(self, seen: int, until: int) -> Batch:
        """What changed between two looks; most readers look at the same times, and share it."""
        return self._shared((seen, until), lambda: _batch(until, self.since(seen), past=False))

    def _first(self, after: int) -> Batch:
        shown = [each for each in self.captions() if after or not each.hidden]
        if after:
            shown = [each for each in shown if micros(each.changed_at) > after - _SLACK_MICROSECONDS]
        return _batch(self.seen, shown, past=True)

    def _shared(self, key: tuple[int, ...], build: Callable[[], Batch]) -> Batch:
        batch = self._built.get(key)
        if batch is None:
            if len(self._built) > _MOST_BUILT:
                self._built.clear()
            batch = self._built[key] = build()
        return batch

    def __len__(self) -> int:
        return len(self._kept)


def micros(at: Timestamp) -> int:
    """A moment as microseconds since the epoch."""
    return int(at.seconds) * 1_000_000 + at.nanos // 1000


def wall() -> float:
    """Epoch seconds, as captions are dated."""
    return time.time()


def _in_order(captions: Iterable[caption_pb2.Caption]) -> list[caption_pb2.Caption]:
    return sorted(captions, key=lambda each: (micros(each.began_at), each.writer_id, each.caption_id))


def _batch(until: int, captions: list[caption_pb2.Caption], *, past: bool) -> Batch:
    response = caption_stream_service_pb2.WatchCaptionsResponse(captions=captions, past=past)
    newest = max((micros(each.changed_at) for each in captions), default=0)
    identified = b"id: %d\n" % newest if newest else b""
    sse = identified + b"event: captions\ndata: " + to_json(response) + b"\n\n"
    return Batch(until, len(captions), response.SerializeToString(), sse, b"%x\r\n%s\r\n" % (len(sse), sse))
