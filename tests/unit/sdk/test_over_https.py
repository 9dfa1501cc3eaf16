"""What a recording over HTTPS counts as heard: what was said, and not the silence that keeps the stream whole."""

import io
from itertools import pairwise

import av
from majlis_client.over_https import _spoken

from services.programme.listener import FRAME_SAMPLES
from services.programme.pieces import Pieces, Placed, silence_like
from services.programme.tone import tone


def test_silence_between_two_talks_is_not_heard_and_what_follows_stands_at_its_time() -> None:
    pieces, packets = Pieces("webm", 1), tone()
    made = [pieces.head]
    for number in range(150):
        opus = packets[number % len(packets)]
        sound = silence_like(opus) if 50 <= number < 100 else opus
        piece = pieces.add(Placed(number * FRAME_SAMPLES, sound))
        made += [] if piece is None else [piece.data]
    with av.open(io.BytesIO(b"".join(made)), "r", format="webm") as container:
        begins = [frame.time or 0.0 for frame in _spoken(container)]
    [(before, after)] = [(one, next_one) for one, next_one in pairwise(begins) if next_one - one > 0.03]
    assert 0.98 < after - before < 1.06, "nobody spoke in the second second"
    assert 44 <= sum(at <= before for at in begins) <= 50, "but for what a decoder leaves out at its start"
    assert sum(at >= after for at in begins) >= 20
