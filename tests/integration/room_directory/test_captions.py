"""Captions over real databases and a real bus: granted, written, muted, corrected; over crashes and to other owners."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from majlis.room_directory.v1 import (
    caption_pb2,
    caption_service_pb2,
    fleet_service_pb2,
    moderation_service_pb2,
    room_service_pb2,
)

from tests.integration.room_directory.test_owners import BACK_SECONDS, Pair, pair
from tests.integration.room_directory.world import World, on_both_databases, refusal, refused_with
from tests.support.fake_auth import person

__all__ = ["pair"]

OF_A_CAPTIONER = ("listen", "captions")


class Captions:
    """A room in which Lina leads and Omar may write English, and what is told of it."""

    def __init__(self, world: World, room_id: str) -> None:
        self.world, self.room_id = world, room_id
        self.epoch = 0
        self.told: list[caption_pb2.CaptionTold] = []

    @classmethod
    async def open(cls, world: World) -> "Captions":
        room_id = (await world.create("lina")).room_id
        scene = cls(world, room_id)

        async def note(told: caption_pb2.CaptionTold) -> None:
            scene.told.append(told)

        await world.listener.subscribe(caption_pb2.CaptionTold, note)
        await world.join("lina", room_id, without_permit=True)
        scene.epoch = (await world.join("omar", room_id, without_permit=True)).seat.epoch
        await scene.grant("omar", "en")
        return scene

    async def grant(self, name: str, language: str, by: str = "lina") -> Any:
        request = caption_service_pb2.GrantCaptioningRequest(
            room_id=self.room_id, user_id=person(name), language=language
        )
        return await self.world.call(by, "GrantCaptioning", request)

    def write(self, text: str, caption_id: str = "1", name: str = "omar", **fields: Any) -> Awaitable[Any]:
        request = caption_service_pb2.SendCaptionRequest(
            room_id=self.room_id, language=fields.pop("language", "en"), caption_id=caption_id, text=text, **fields
        )
        return self.world.call(name, "SendCaption", request, scopes=OF_A_CAPTIONER)

    def mute(self, muted: bool, by: str = "lina") -> Awaitable[Any]:
        request = caption_service_pb2.MuteCaptionerRequest(room_id=self.room_id, user_id=person("omar"), muted=muted)
        return self.world.call(by, "MuteCaptioner", request)

    def correct(self, text: str, caption_id: str = "1", by: str = "lina") -> Awaitable[Any]:
        request = caption_service_pb2.CorrectCaptionRequest(
            room_id=self.room_id, language="en", writer_id=person("omar"), caption_id=caption_id, text=text
        )
        return self.world.call(by, "CorrectCaption", request)

    def hide(self, caption_id: str = "1", by: str = "lina") -> Awaitable[Any]:
        request = caption_service_pb2.HideCaptionRequest(
            room_id=self.room_id, language="en", writer_id=person("omar"), caption_id=caption_id
        )
        return self.world.call(by, "HideCaption", request)

    async def sync(self, world: World | None = None, known: Any = (), language: str = "en") -> list[Any]:
        """What a gateway is given that comes with what it still has."""
        of = world or self.world
        request = fleet_service_pb2.SyncCaptionsRequest(room_id=self.room_id, language=language, known=known)
        response = await of.stub.SyncCaptions(request, metadata=of.as_service("gateway"))
        return list(response.captions)

    async def texts(self, world: World | None = None, known: Any = ()) -> list[str]:
        return [each.text for each in await self.sync(world, known)]

    async def captioners(self) -> list[tuple[str, list[str], bool]]:
        snapshot = await self.world.snapshot(self.room_id)
        return [(each.person.user_id, list(each.languages), each.muted) for each in snapshot.captioners]


@on_both_databases
async def test_whom_a_moderator_lets_writes_and_everybody_is_told(world: World) -> None:
    scene = await Captions.open(world)
    await world.until(lambda: bool(world.of_type(caption_pb2.CaptionersChanged, scene.room_id)))
    (changed,) = world.of_type(caption_pb2.CaptionersChanged, scene.room_id)
    assert [(each.person.user_id, list(each.languages)) for each in changed.captioners] == [(person("omar"), ["en"])]

    first = (await scene.write("Good", speaker_user_id=person("lina"))).caption
    assert (first.final, first.writer_id, first.speaker_user_id) == (False, person("omar"), person("lina"))
    assert first.speaker_name
    last = (await scene.write("Good evening", final=True, speaker_user_id=person("nobody"))).caption
    assert (last.final, last.began_at, last.speaker_user_id) == (True, first.began_at, "")
    await world.until(lambda: len(scene.told) == 2)
    assert [each.caption for each in scene.told] == [first, last]
    assert {(each.room_id, each.channel, each.term) for each in scene.told} == {(scene.room_id, "en", 1)}
    assert await scene.texts() == ["Good evening"]


@on_both_databases
async def test_every_refusal_says_why(world: World) -> None:
    scene = await Captions.open(world)
    await world.join("nadia", scene.room_id, without_permit=True)
    assert await refusal(scene.grant("nadia", "en", by="omar")) == "NOT_ALLOWED"
    assert await refusal(scene.grant("nadia", "English")) == "LANGUAGE_INVALID"
    assert await refusal(scene.write("x", name="nadia")) == "NOT_CAPTIONER"
    assert await refusal(scene.write("x", language="ar")) == "NOT_CAPTIONER"
    await scene.grant("sami", "en")
    assert await refusal(scene.write("x", name="sami")) == "NOT_IN_ROOM"
    assert await refusal(scene.write("x" * 501)) == "FIELD_INVALID"
    assert await refusal(scene.write("turned \u202e around")) == "FIELD_INVALID"
    assert await refusal(scene.write("x", "not a name")) == "FIELD_INVALID"
    await scene.write("done", final=True)
    assert await refusal(scene.write("done otherwise", final=True)) == "CAPTION_FINAL"
    assert await refusal(scene.correct("x", "unknown")) == "CAPTION_UNKNOWN"
    assert await refusal(scene.correct("\u200b \u00a0")) == "FIELD_INVALID", "that would be an empty line for everybody"
    assert await refusal(scene.hide("unknown")) == "CAPTION_UNKNOWN"
    assert await refusal(scene.hide(by="nadia")) == "NOT_ALLOWED"
    request = caption_service_pb2.SendCaptionRequest(room_id=scene.room_id, language="en", caption_id="9", text="x")
    assert await refusal(world.call("omar", "SendCaption", request, scopes=("listen", "speak"))) == "SCOPE_MISSING"


@on_both_databases
async def test_a_flood_is_told_when_to_come_again_and_nothing_of_it_is_kept(world: World) -> None:
    scene = await Captions.open(world)
    results = await asyncio.gather(
        *(scene.write("again", f"flood{number}", final=True) for number in range(40)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) >= 25, "ten at once and five a second"

    async def raises(error: BaseException) -> None:
        raise error

    error = await refused_with(raises(refused[0]))
    assert error.reason == "RATE_LIMITED"
    assert error.retry_after_seconds is not None
    assert 0 < error.retry_after_seconds < 5
    assert len(await scene.texts()) == 40 - len(refused)


@on_both_databases
async def test_a_moderator_mutes_and_what_was_not_finished_goes(world: World) -> None:
    scene = await Captions.open(world)
    await scene.write("done", "1", final=True)
    await scene.write("half a sent", "2")
    assert await refusal(scene.mute(True, by="omar")) == "NOT_ALLOWED"
    await scene.mute(True)
    assert await refusal(scene.write("half a sentence", "2")) == "CAPTIONER_MUTED"
    assert await refusal(scene.write("new", "3")) == "CAPTIONER_MUTED"
    assert [(each.text, each.hidden) for each in await scene.sync()] == [("done", False), ("", True)]
    await world.until(lambda: len(scene.told) == 3)
    assert (scene.told[-1].caption.caption_id, scene.told[-1].caption.hidden) == ("2", True)
    assert await scene.captioners() == [(person("omar"), ["en"], True)]
    await scene.mute(False)
    assert await refusal(scene.write("half a sentence", "2")) == "CAPTION_FINAL", "what was hidden stays so"
    await scene.write("new", "3", final=True)
    request = moderation_service_pb2.RemovePersonRequest(room_id=scene.room_id, user_id=person("omar"))
    await world.call("lina", "RemovePerson", request)
    assert await scene.captioners() == []


@on_both_databases
async def test_a_moderator_corrects_and_hides_and_it_reaches_who_watches(world: World) -> None:
    scene = await Captions.open(world)
    await scene.write("Sana", "1", final=True)
    await scene.write("rude words", "2", final=True)
    corrected = (await scene.correct("Sanaa")).caption
    assert (corrected.text, corrected.corrected) == ("Sanaa", True)
    await scene.hide("2")
    await scene.hide("2")
    await world.until(lambda: len(scene.told) == 4)
    assert [(each.caption.text, each.caption.hidden) for each in scene.told[2:]] == [("Sanaa", False), ("", True)]


@on_both_databases
async def test_after_a_crash_of_the_only_copy_a_gateway_brings_the_words_back_and_rows_the_captioners(
    world: World,
) -> None:
    scene = await Captions.open(world)
    await scene.write("before the crash", "1", final=True)
    await scene.mute(True)
    kept = await scene.sync()
    await world.crash()
    await world.start()
    assert await scene.captioners() == [(person("omar"), ["en"], True)]
    room = await world.call("lina", "GetRoom", room_service_pb2.GetRoomRequest(room_id=scene.room_id))
    assert [each.person.handle for each in room.snapshot.captioners] == ["omar"], "though not back yet"
    await scene.mute(False)
    assert await scene.texts() == [], "words are in no table"
    assert await scene.texts(known=kept) == ["before the crash"]
    assert await scene.texts() == ["before the crash"], "for a latecomer at another gateway as well"
    await world.until(lambda: scene.told[-1].caption == kept[0] and len(scene.told) == 2)
    await world.stream("omar", scene.room_id, scene.epoch, is_open=True)
    await scene.write("and after it", "2", final=True)
    assert await scene.texts() == ["before the crash", "and after it"]


async def test_when_the_owner_is_killed_another_copy_goes_on_with_the_last_ten_minutes(pair: Pair) -> None:
    first, second = pair.first, pair.second
    scene = await Captions.open(first)
    await scene.write("before", "1", final=True)
    await scene.write("half a sent", "2")
    await second.until(lambda: len(second.parts.app.captions.rings.of(scene.room_id, "en")) == 2)
    assert await refusal(scene.sync(second)) == "ROOM_MOVES"
    await first.crash()
    await second.until(lambda: second.parts.rooms.get(scene.room_id) is not None, BACK_SECONDS)
    assert await scene.texts(second) == ["before", "half a sent"]
    after = Captions(second, scene.room_id)
    await second.join("omar", scene.room_id, without_permit=True)
    written = (await after.write("half a sentence", "2", final=True)).caption
    assert written.final
    assert await after.texts() == ["before", "half a sentence"]
