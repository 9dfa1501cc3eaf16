"""What a list of languages comes to, in a room with these booths where these languages are spoken."""

import random

import pytest

from services.programme.channels import FLOOR, Channel
from services.programme.hearing import MOST_OUTCOMES, heard_by, mixes

ROOM = "room000001"
LANGUAGES = ("ar", "de", "en", "es", "fr", "ru", "sw", "tr")


@pytest.mark.parametrize(
    ("understands", "booths", "spoken", "heard"),
    [
        (("ar",), (), ("en",), FLOOR),
        (("ar",), ("ar",), ("ar",), FLOOR),
        (("ar",), ("ar",), (), FLOOR),
        (("ar",), ("ru",), ("en",), FLOOR),
        (("ar",), ("ar",), ("en",), "ar"),
        (("ar",), ("ar",), ("ar", "en"), "ar-ar"),
        (("ru", "en"), ("ar", "en"), ("ar",), "en"),
        (("ru", "en"), ("en", "ru"), ("ar", "en", "ru"), "ru-en-ru"),
        (("en", "ru"), ("en", "ru"), ("en", "ar", "ru"), "en-en-ru"),
        (("en", "ar"), ("en", "ru"), ("en", "ar"), FLOOR),
    ],
)
def test_the_first_language_with_a_booth_is_heard_where_the_floor_is_not_understood(
    understands: tuple[str, ...], booths: tuple[str, ...], spoken: tuple[str, ...], heard: str
) -> None:
    assert heard_by(understands, booths, spoken) == heard


def test_over_a_thousand_rooms_nobody_misses_what_they_understand_and_outcomes_stay_few() -> None:
    for seed in range(1000):
        chance = random.Random(seed)
        booths = chance.sample(LANGUAGES, chance.randrange(0, 8))
        spoken = chance.sample(LANGUAGES, chance.randrange(0, 6))
        outcomes = set()
        for _ in range(300):
            understands = chance.sample(LANGUAGES, chance.randrange(1, 7))
            name = heard_by(understands, booths, spoken)
            outcomes.add(name)
            assert name == heard_by(understands, booths[::-1], spoken[::-1] * 2), "and by nothing else"
            channel = Channel(ROOM, name)
            if name == FLOOR:
                assert set(spoken) <= set(understands) or not set(understands) & set(booths)
                continue
            assert channel.booth in booths
            assert not set(understands[: understands.index(channel.booth)]) & set(booths), "the first that there is"
            assert channel.clear <= set(understands) & set(spoken)
            assert channel.booth not in set(spoken) or channel.booth in channel.clear, "one's own booth's language"
            if len(booths) * 2 ** len(spoken) <= MOST_OUTCOMES:
                assert channel.clear == set(understands) & set(spoken)
        assert len(outcomes) <= MOST_OUTCOMES + 1


@pytest.mark.parametrize("name", ["ar-", "-ar", "ar-EN", "ar--en", "ar-eng-x", "a-en", "ar-" + "-".join(["eng"] * 8)])
def test_what_is_no_name_of_a_channel_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no channel"):
        Channel(ROOM, name)


@pytest.mark.parametrize("spoken", [("en",), ("ar",), ("en", "ar"), ("ar", "ru"), ("en", "ar", "ru", "sw")])
@pytest.mark.parametrize("booths", [(), ("ar",), ("ar", "ru", "fr")])
def test_no_more_mixes_are_promised_than_people_of_one_language_each_come_to(
    booths: tuple[str, ...], spoken: tuple[str, ...]
) -> None:
    heard = {heard_by([language], booths, spoken) for language in LANGUAGES} | set(booths)
    assert len(heard - {FLOOR}) <= mixes(len(booths), len(spoken))
    if set(spoken) <= set(booths) or set(booths) <= set(spoken):
        assert len(heard - {FLOOR}) == mixes(len(booths), len(spoken)), heard
