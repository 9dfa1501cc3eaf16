"""Whatever an offer or a fragment holds, it is answered or refused with a reason; nothing else comes out."""

from hypothesis import given
from hypothesis import strategies as st

from services.media_relay.domain.errors import FragmentInvalid, OfferInvalid
from services.media_relay.domain.permits import Kind
from services.media_relay.sdp.answer import IceLocal, plan_session, write_answer
from services.media_relay.sdp.fragment import parse_fragment, write_restart
from services.media_relay.sdp.offer import parse_offer
from tests.support.relay_fakes import FINGERPRINT, OFFERS

ICE = IceLocal("ufrag1", "password-of-twenty-two-chars", [("192.0.2.1", 5004)])
TEXTS = [path.read_bytes().decode() for path in sorted(OFFERS.glob("*.sdp"))]
LINES = sorted({line for text in TEXTS for line in text.split("\r\n") if line})
PIECES = st.one_of(
    st.sampled_from(LINES), st.text(max_size=40), st.sampled_from(LINES).flatmap(lambda x: st.just(x[:9]))
)


def answer_or_refuse(text: str) -> None:
    for kind in Kind:
        try:
            plan = plan_session(parse_offer(text), kind)
        except OfferInvalid:
            continue
        written = write_answer(plan, 1, ICE, FINGERPRINT, list(range(1, len(plan.outgoing) + 1)))
        lines = written.split("\r\n")
        assert lines[-1] == ""
        assert all(len(line) > 2 and line[1] == "=" and line.isprintable() for line in lines[:-1])
        assert written.count("\r\nm=") == len(plan.offer.media)


@given(st.lists(PIECES, max_size=60))
def test_any_pile_of_lines_is_answered_or_refused(pieces: list[str]) -> None:
    answer_or_refuse("\r\n".join(["v=0", *pieces]))


@given(st.sampled_from(TEXTS), st.integers(0, 3000), st.integers(0, 40), st.text(max_size=20))
def test_an_offer_with_a_piece_exchanged_is_answered_or_refused(text: str, at: int, length: int, piece: str) -> None:
    answer_or_refuse(text[:at] + piece + text[at + length :])


@given(st.sampled_from(TEXTS), st.data())
def test_an_offer_with_its_lines_shuffled_or_lost_is_answered_or_refused(text: str, data: st.DataObject) -> None:
    lines = text.split("\r\n")
    kept = data.draw(st.lists(st.sampled_from(lines), max_size=len(lines)))
    answer_or_refuse("\r\n".join(["v=0", *kept]))


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=20).map("\r\n".join)))
def test_any_fragment_is_read_or_refused(text: str) -> None:
    try:
        fragment = parse_fragment(text)
    except FragmentInvalid:
        return
    assert all(line.isprintable() for line in write_restart(ICE, fragment).split("\r\n"))
