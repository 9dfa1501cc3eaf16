"""Where an invitation may go from where it stands."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import DomainError, FieldInvalid
from services.invite.domain.codes import code_hash, code_of, link_of
from services.invite.domain.errors import InvitationClaimed, InvitationInvalid, InvitationNotFound, InvitationSpent
from services.invite.domain.invitation import Invitation, Quota, State, Step, clean_note
from services.invite.link.qr import QUIET_ZONE_MODULES, qr_svg
from tests.support.emoji import every_emoji

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=15)
MAKER, OTHER = "user000000000001", "user000000000002"

OPEN = Invitation(
    invitation_id="invitation000001",
    inviter_id=MAKER,
    code_hash="c",
    request_id="r",
    note="",
    room_id="",
    state=State.OPEN,
    created_at=NOW,
    expires_at=NOW + timedelta(days=30),
)
CLAIMED = replace(OPEN, state=State.CLAIMED, claim_request_hash="mine", claimed_until=NOW + WINDOW, redemption_id="x")
SPENT = replace(CLAIMED, state=State.SPENT, spent_at=NOW, guest_id=OTHER)
LATER = NOW + timedelta(days=31)


@pytest.mark.parametrize(
    ("invitation", "request_hash", "now", "step"),
    [
        (OPEN, "mine", NOW, Step.CLAIM),
        (CLAIMED, "mine", NOW, Step.RESUME),
        (CLAIMED, "mine", NOW + WINDOW, Step.RESUME),
        (CLAIMED, "other", NOW + WINDOW, Step.SETTLE),
        (SPENT, "mine", NOW + WINDOW, Step.RESUME),
    ],
)
def test_redeeming_goes_on_from_where_it_stands(
    invitation: Invitation, request_hash: str, now: datetime, step: Step
) -> None:
    assert invitation.next_step(request_hash, now, WINDOW) is step


@pytest.mark.parametrize(
    ("invitation", "request_hash", "now", "refusal"),
    [
        (OPEN, "mine", LATER, InvitationInvalid),
        (CLAIMED, "other", NOW, InvitationClaimed),
        (SPENT, "other", NOW, InvitationInvalid),
        (SPENT, "mine", NOW + WINDOW + timedelta(seconds=1), InvitationInvalid),
        (replace(OPEN, state=State.REVOKED), "mine", NOW, InvitationInvalid),
        (replace(OPEN, state=State.EXPIRED), "mine", NOW, InvitationInvalid),
    ],
)
def test_redeeming_is_refused_where_it_cannot_lead_to_an_account(
    invitation: Invitation, request_hash: str, now: datetime, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        invitation.next_step(request_hash, now, WINDOW)


def test_refusal_of_a_claimed_one_says_how_long_to_wait() -> None:
    with pytest.raises(InvitationClaimed) as refusal:
        CLAIMED.next_step("other", NOW + timedelta(minutes=5), WINDOW)
    assert refusal.value.retry_after_seconds == 600


def test_unknown_spent_and_expired_codes_look_the_same_to_a_guest() -> None:
    messages = set()
    for gone in (SPENT, replace(OPEN, state=State.EXPIRED), replace(OPEN, state=State.REVOKED)):
        with pytest.raises(InvitationInvalid) as refusal:
            gone.check_shown_to_guest(NOW)
        messages.add((refusal.value.message, tuple(refusal.value.metadata)))
    assert len(messages) == 1
    OPEN.check_shown_to_guest(NOW)
    CLAIMED.check_shown_to_guest(NOW)


def test_only_its_maker_takes_it_back_and_only_unspent() -> None:
    assert OPEN.check_can_be_taken_back(MAKER, NOW)
    assert not replace(OPEN, state=State.REVOKED).check_can_be_taken_back(MAKER, NOW)
    with pytest.raises(InvitationNotFound):
        OPEN.check_can_be_taken_back(OTHER, NOW)
    with pytest.raises(InvitationSpent):
        SPENT.check_can_be_taken_back(MAKER, NOW)
    with pytest.raises(InvitationClaimed):
        CLAIMED.check_can_be_taken_back(MAKER, NOW)


def test_note_of_a_spent_or_foreign_one_stays() -> None:
    OPEN.check_note_can_change(MAKER)
    with pytest.raises(InvitationSpent):
        SPENT.check_note_can_change(MAKER)
    with pytest.raises(InvitationNotFound):
        OPEN.check_note_can_change(OTHER)


def test_note_takes_every_emoji() -> None:
    for emoji in every_emoji():
        assert clean_note(emoji) == emoji


def test_note_may_have_lines_but_no_controls() -> None:
    assert clean_note(" come\r\nsoon ") == "come\nsoon"
    for bad in ("a\x00b", "a\u202eb", "x" * 201):
        with pytest.raises(FieldInvalid):
            clean_note(bad)


def test_quota_never_shows_less_than_none() -> None:
    assert Quota(2, 1).left == 1
    assert Quota(0, 1).left == 0


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16))
def test_code_is_128_bits_that_depend_on_secret_and_id(secret: bytes, invitation_id: str) -> None:
    code = code_of(secret, invitation_id)
    assert len(code) == 26
    assert set(code) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert code == code_of(secret, invitation_id)
    assert code != code_of(secret + b"x", invitation_id)
    assert code != code_of(secret, invitation_id[::-1] + "2")


def test_code_typed_in_capitals_with_spaces_is_the_same() -> None:
    assert code_hash(" ABCD efgh ") == code_hash("abcdefgh")
    assert code_hash("\u200fab\u0662\u0667-c\uff14") == code_hash("ab27c4")
    assert code_hash("\u200f«abcd\u200befgh».") == code_hash("abcdefgh")
    assert link_of("http://localhost:8080/", "abc") == "http://localhost:8080/i/abc"


def test_qr_code_is_an_svg_in_the_text_colour_with_a_quiet_zone() -> None:
    drawn = ET.fromstring(qr_svg("http://localhost:8080/i/abcdefghijklmnopqrstuvwxyz"))
    _, _, width, height = (int(part) for part in drawn.attrib["viewBox"].split())
    assert width == height == 33 + 2 * QUIET_ZONE_MODULES
    path = drawn[0]
    assert path.attrib["stroke"] == "currentColor"
    assert path.attrib["d"].startswith(f"M{QUIET_ZONE_MODULES} {QUIET_ZONE_MODULES}.5h7")
