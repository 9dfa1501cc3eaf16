"""Captions: who may write them, how they change, and what is kept of them."""

from datetime import timedelta

import pytest

from services.common.errors import DomainError
from services.room_directory.app.captions import CaptionRings
from services.room_directory.domain import captions, moderation
from services.room_directory.domain.caption_ring import KEPT, MOST_KEPT, UNFINISHED, Caption, CaptionRing, Words
from services.room_directory.domain.errors import (
    CaptionerMuted,
    CaptionFinal,
    CaptionUnknown,
    LanguageInvalid,
    NotAllowed,
    NotCaptioner,
    NotInRoom,
    TooManyCaptioners,
    TooManyLanguages,
)
from services.room_directory.domain.events import CaptionersChanged
from services.room_directory.domain.people import Actor
from tests.support.fake_clock import FakeClock
from tests.unit.room_directory.rooms import START, Hall

LINA, OMAR = Actor("lina"), Actor("omar")


def hall() -> Hall:
    """A room in which Omar listens and may write English."""
    hall = Hall()
    hall.listen("omar")
    captions.grant(hall.room, LINA, "omar", "en", hall.now)
    hall.clear()
    return hall


def words(text: str, caption_id: str = "1", *, final: bool = False) -> Words:
    return Words(caption_id=caption_id, text=text, final=final)


def refused(hall: Hall, who: str, language: str = "en") -> type[DomainError] | None:
    try:
        captions.require_writer(hall.room, who, language)
    except DomainError as error:
        return type(error)
    return None


def test_a_moderator_lets_a_person_write_a_language_once_and_everybody_is_told() -> None:
    room = hall().room
    captions.grant(room, LINA, "omar", "floor", START)
    captions.grant(room, LINA, "omar", "floor", START)
    (fact,) = [fact for fact in room.facts if isinstance(fact, CaptionersChanged)]
    assert [(each.user_id, each.languages, each.muted) for each in fact.captioners] == [
        ("omar", ("en", "floor"), False)
    ]
    for language in ("", "EN", "e", "engl", "en-GB", "floors"):
        with pytest.raises(LanguageInvalid):
            captions.grant(room, LINA, "omar", language, START)


def test_only_who_was_let_and_holds_a_seat_and_is_not_muted_writes() -> None:
    place = hall()
    assert refused(place, "omar") is None
    assert refused(place, "omar", "ar") is NotCaptioner
    assert refused(place, "lina") is NotCaptioner, "moderators let themselves first"
    captions.grant(place.room, LINA, "nadia", "en", place.now)
    assert refused(place, "nadia") is NotInRoom
    captions.mute(place.room, LINA, "omar", muted=True, now=place.now)
    assert refused(place, "omar") is CaptionerMuted
    captions.mute(place.room, LINA, "omar", muted=False, now=place.now)
    assert refused(place, "omar") is None
    captions.revoke(place.room, LINA, "omar", "en", place.now)
    assert refused(place, "omar") is NotCaptioner
    with pytest.raises(NotCaptioner):
        captions.mute(place.room, LINA, "omar", muted=True, now=place.now)


def test_a_person_may_give_it_back_and_one_who_is_removed_may_not_write_any_more() -> None:
    place = hall()
    with pytest.raises(NotAllowed):
        captions.revoke(place.room, Actor("nadia"), "omar", "en", place.now)
    captions.revoke(place.room, OMAR, "omar", "en", place.now)
    assert not place.room.captioners
    captions.grant(place.room, LINA, "omar", "en", place.now)
    moderation.remove_person(place.room, LINA, "omar", epoch=place.epoch(), now=place.now)
    assert not place.room.captioners
    moderation.end_room(place.room, LINA, place.now)


def test_one_person_writes_as_many_languages_as_a_room_has_booths_and_the_floor() -> None:
    place = hall()
    some = ("ar", "de", "en", "es", "fa", "fr", "hi", "it", "ja", "ko", "pt", "ru", "sw", "tr", "ur", "zh", "floor")
    for language in some:
        captions.grant(place.room, LINA, "nadia", language, place.now)
    with pytest.raises(TooManyLanguages):
        captions.grant(place.room, LINA, "nadia", "uk", place.now)
    captions.grant(place.room, LINA, "nadia", "ar", place.now)


def test_as_many_write_in_a_room_as_may() -> None:
    place = hall()
    for number in range(captions.MOST_CAPTIONERS - 1):
        captions.grant(place.room, LINA, f"person{number}", "en", place.now)
    with pytest.raises(TooManyCaptioners):
        captions.grant(place.room, LINA, "one-more", "en", place.now)
    captions.grant(place.room, LINA, "omar", "ar", place.now)


def test_a_writer_corrects_and_hides_their_own_and_moderators_anybodys() -> None:
    place = hall()
    place.listen("nadia")
    captions.require_editor(place.room, OMAR, "omar", "en")
    captions.require_editor(place.room, LINA, "omar", "en")
    captions.require_hider(place.room, LINA, "omar")
    with pytest.raises(NotAllowed):
        captions.require_editor(place.room, Actor("nadia"), "omar", "en")
    with pytest.raises(NotAllowed):
        captions.require_hider(place.room, Actor("nadia"), "omar")
    captions.mute(place.room, LINA, "omar", muted=True, now=place.now)
    with pytest.raises(CaptionerMuted):
        captions.require_editor(place.room, OMAR, "omar", "en")
    captions.require_hider(place.room, OMAR, "omar")


def test_an_interim_caption_gives_way_to_the_next_and_a_final_one_stays() -> None:
    ring, now = CaptionRing("en"), START
    first, is_news = ring.write("omar", words("Good"), now)
    assert (first.text, first.final, is_news) == ("Good", False, True)
    now += timedelta(seconds=1)
    last, _ = ring.write("omar", words("Good evening", final=True), now)
    assert (last.began_at, last.changed_at, len(ring)) == (START, now, 1)
    again, is_news = ring.write("omar", words("Good evening", final=True), now)
    assert (again, is_news) == (last, False), "sent again because the answer was lost"
    with pytest.raises(CaptionFinal):
        ring.write("omar", words("Good night", final=True), now)
    other, _ = ring.write("nadia", words("another's of the same name"), now)
    assert [each.writer_id for each in ring] == ["omar", "nadia"]
    assert other.text.startswith("another")


def test_changes_are_dated_later_than_what_they_change_also_when_the_clock_goes_back() -> None:
    ring = CaptionRing("en")
    first, _ = ring.write("omar", words("a"), START)
    second, _ = ring.write("omar", words("b"), START - timedelta(seconds=5))
    assert second.changed_at > first.changed_at


def test_what_is_said_to_have_been_spoken_long_ago_or_in_future_is_dated_by_its_arrival() -> None:
    ring = CaptionRing("en")
    for number, (said, dated) in enumerate(
        [(START - timedelta(seconds=4), START - timedelta(seconds=4)), (START + timedelta(1), START), (None, START)]
    ):
        caption, _ = ring.write("omar", Words(caption_id=str(number), text="x", final=True, spoken_at=said), START)
        assert caption.spoken_at == dated


def test_a_caption_is_taken_back_by_its_writer_and_hidden_by_others() -> None:
    ring = CaptionRing("en")
    ring.write("omar", words("Goo"), START)
    gone, is_news = ring.write("omar", words(""), START)
    assert (gone.hidden, gone.text, is_news) == (True, "", True)
    with pytest.raises(CaptionFinal):
        ring.write("omar", words("Goo again"), START)
    assert ring.write("omar", words("", "never-shown"), START)[1] is False
    ring.write("omar", words("rude words", "2", final=True), START)
    hidden = ring.hide(("omar", "2"), START)
    assert hidden is not None
    assert (hidden.hidden, hidden.text) == (True, "")
    assert ring.hide(("omar", "2"), START) is None
    with pytest.raises(CaptionUnknown):
        ring.hide(("omar", "3"), START)
    with pytest.raises(CaptionUnknown):
        ring.correct(("omar", "2"), "kind words", START)


def test_a_final_caption_is_corrected_and_says_so() -> None:
    ring = CaptionRing("en")
    ring.write("omar", words("Sana", final=True), START)
    corrected, is_news = ring.correct(("omar", "1"), "Sanaa", START)
    assert (corrected.text, corrected.corrected, is_news) == ("Sanaa", True, True)
    assert ring.correct(("omar", "1"), "Sanaa", START) == (corrected, False)
    ring.write("omar", words("unfinished", "2"), START)
    with pytest.raises(CaptionUnknown):
        ring.correct(("omar", "2"), "x", START)


def test_what_somebody_did_not_finish_is_hidden_and_what_they_did_stays() -> None:
    ring = CaptionRing("en")
    ring.write("omar", words("done", "1", final=True), START)
    ring.write("omar", words("half", "2"), START)
    ring.write("nadia", words("hers", "3"), START)
    assert [each.caption_id for each in ring.hide_unfinished("omar", START)] == ["2"]
    assert [each.text for each in ring] == ["done", "", "hers"]


def test_ten_minutes_are_kept_and_an_interim_that_nobody_goes_on_with_ten_seconds() -> None:
    ring = CaptionRing("en")
    ring.write("omar", words("old", "1", final=True), START)
    ring.write("omar", words("left", "2"), START)
    ring.expire(START + UNFINISHED)
    assert len(ring) == 2
    ring.expire(START + UNFINISHED + timedelta(seconds=1))
    assert [each.text for each in ring] == ["old"]
    ring.expire(START + KEPT + timedelta(seconds=1))
    assert not ring


def test_a_flood_pushes_the_oldest_out() -> None:
    ring = CaptionRing("en")
    for number in range(MOST_KEPT + 20):
        ring.write("omar", words("x", str(number), final=True), START + timedelta(milliseconds=number))
    assert len(ring) == MOST_KEPT
    assert next(iter(ring)).caption_id == "20"


def known(caption_id: str, text: str, *, began: int, changed: int) -> Caption:
    moment = START + timedelta(seconds=began)
    return Caption(
        caption_id=caption_id,
        writer_id="omar",
        language="en",
        text=text,
        final=True,
        spoken_at=moment,
        began_at=moment,
        changed_at=START + timedelta(seconds=changed),
    )


def test_what_others_remember_is_merged_by_its_last_change_and_stands_where_it_began() -> None:
    ring = CaptionRing("en")
    assert ring.merge(known("2", "second", began=2, changed=2))
    assert ring.merge(known("1", "first", began=1, changed=9))
    assert not ring.merge(known("1", "first, before it was corrected", began=1, changed=1))
    assert not ring.merge(known("1", "first", began=1, changed=9))
    assert [each.text for each in ring] == ["first", "second"]


async def test_a_copy_keeps_what_is_told_of_others_rooms_and_forgets_it_in_time() -> None:
    clock = FakeClock()
    rings = CaptionRings(clock)
    at = clock.now()
    caption = Caption(
        caption_id="1", writer_id="omar", language="en", text="x", final=True, spoken_at=at, began_at=at, changed_at=at
    )
    await rings.hear("room000000000001", caption)
    assert list(rings.of("room000000000001", "en")) == [caption]
    clock.advance(KEPT.total_seconds() + 1)
    await rings.forget()
    assert len(rings) == 0
    assert not rings.of_room("room000000000001")
