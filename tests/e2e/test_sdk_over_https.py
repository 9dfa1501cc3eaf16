"""The library speaks over HTTPS: heard in time, not by itself, by pieces where no socket opens, and after a crash."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from majlis_client import Client, FixedToken, Listener, speak
from majlis_client.http_origin import HttpOrigin
from majlis_client.player import FileTrack, Said
from majlis_client.speaking import Speaker
from majlis_client.web_speaking import WebRoad, WebSession
from majlis_client.web_ways import PiecesWay

from tests.support import voices
from tests.support.hearing import until_heard
from tests.support.members import Member, friend_of, owner_of
from tests.support.rtc_client import Ear
from tests.support.stack import Stack
from tests.support.stream_server import stream_server

RATE = 48_000
PULSES = 12
PERIOD = 2.0
"""Longer than anything said may take to be heard, so that each is known when it comes."""


class Pulses(Said):
    """Says a short tone every two seconds, and notes when."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[float] = []
        self._begun = 0.0
        self._at = 0

    async def recv(self) -> AudioFrame:
        self._begun = self._begun or time.monotonic()
        begins = self._begun + self._at / RATE
        # A microphone gives a frame when its last sample was said.
        await asyncio.sleep(max(0.0, begins + 0.02 - time.monotonic()))
        if len(self.said) >= PULSES and self._at / RATE % PERIOD > PERIOD / 2:
            self.finished.set()
            raise MediaStreamError
        at = np.arange(self._at, self._at + RATE // 50)
        sounds = self._at / RATE % PERIOD < 0.3
        if self._at % int(RATE * PERIOD) == 0:
            self.said.append(begins)
        wave = np.sin(2 * np.pi * 700 * at / RATE) * (12_000 if sounds else 0)
        frame = AudioFrame.from_ndarray(wave.astype(np.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += RATE // 50
        return frame


class Onsets:
    """When sound begins after a silence."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._loud_at = 0.0

    def take(self, frame: AudioFrame) -> None:
        now = time.monotonic()
        if voices.rms(frame.to_ndarray().reshape(-1).astype(np.float32) / np.float32(32768)) > 0.05:
            if now - self._loud_at > 0.5:
                self.times.append(now)
            self._loud_at = now


@asynccontextmanager
async def device(stack: Stack, person: Member) -> AsyncIterator[Client]:
    async with await Client.connect(stack.url, FixedToken(person.access_token)) as client:
        yield client


@asynccontextmanager
async def meanwhile(*doing: asyncio.Future[Any]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for each in doing:
            each.cancel()
        for each in doing:
            with suppress(asyncio.CancelledError):
                await each


async def test_what_is_said_is_heard_by_udp_within_a_second_and_a_half(stack: Stack) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    room_id = (await owner.client.create_room("In time")).room_id
    onsets, pulses = Onsets(), Pulses()
    async with device(stack, owner) as mine, device(stack, guest) as theirs:
        listener = Listener(theirs, room_id, onsets.take)
        listening = asyncio.ensure_future(listener.run())
        async with meanwhile(listening):
            await asyncio.wait_for(listener.entered.wait(), 20)
            speaker = Speaker(mine, room_id, lambda _: None, over="https")
            spoken = await asyncio.wait_for(speaker.speak(pulses, "", ""), 60)
            await asyncio.sleep(1.5)
    assert spoken.why == "finished"
    took = sorted(heard - said for said in pulses.said for heard in onsets.times if 0 < heard - said < PERIOD)
    # The first are missed until the listener's session stands.
    assert len(took) >= PULSES / 2, took
    assert took[int(0.95 * (len(took) - 1))] <= 1.5, took
    await owner.leave_for_good()
    await guest.leave_for_good()


async def test_who_speaks_so_hears_another_and_not_themselves_and_speaks_again_after_the_relay_was_killed(
    stack: Stack, tones: dict[int, Path]
) -> None:
    owner = await owner_of(stack)
    guest, other = await friend_of(stack, owner, "omar"), await friend_of(stack, owner, "zaid")
    room_id = (await owner.client.create_room("Two speak")).room_id
    ear, own, slot, steps = Ear(), Ear(), Ear(), list[str]()
    async with device(stack, owner) as mine, device(stack, guest) as theirs, device(stack, other) as second:
        listening = asyncio.ensure_future(Listener(theirs, room_id, ear.take).run())
        speaking = asyncio.ensure_future(
            speak(mine, room_id, tones[440], loop=True, on_step=steps.append, on_slots=(own.take,), over="https")
        )
        async with meanwhile(listening, speaking):
            await until_heard(ear, 440.0, 20)
            await asyncio.sleep(3)
            # Where nobody else speaks nothing is sent: what would be heard is oneself.
            assert not len(own.heard) or voices.power_at(own.heard[-RATE:], 440.0) < 0.1, "nobody hears themselves"
            raised = asyncio.Event()
            said = asyncio.ensure_future(
                speak(
                    second,
                    room_id,
                    tones[1100],
                    loop=True,
                    on_step=lambda step: raised.set() if step == "hand_raised" else None,
                    on_slots=(slot.take,),
                )
            )
            async with meanwhile(said):
                await asyncio.wait_for(raised.wait(), 20)
                await mine.offer_stage(room_id, (await second.me()).profile.user_id)
                await until_heard(slot, 440.0, 20)
                await until_heard(own, 1100.0, 20)
                await asyncio.sleep(1)
                heard = own.heard[-RATE:]
                assert voices.power_at(heard, 1100.0) > 0.5
                assert voices.power_at(heard, 440.0) < 0.1
            await stack.kill("media_relay")
            await asyncio.sleep(1)
            ear.forget()
            await until_heard(ear, 440.0, 30)
            assert steps.count("speaking") == 2, steps
            assert "reconnecting" in steps
    for person in (owner, guest, other):
        await person.leave_for_good()


@asynccontextmanager
async def no_sockets(port: int) -> AsyncIterator[int]:
    """A proxy that knows no upgrades; yields its port."""

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"upgrade: websocket" in head.lower():
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            back.write(head)
            await asyncio.gather(pass_on(reader, back), pass_on(there, writer))
        finally:
            back.close()

    async with stream_server(serve) as server:
        yield server.address[1]


async def test_where_no_websocket_opens_it_speaks_by_pieces(stack: Stack, tones: dict[int, Path]) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    room_id = (await owner.client.create_room("By pieces")).room_id
    ear = Ear()
    async with device(stack, guest) as theirs, no_sockets(int(stack.url.rpartition(":")[2])) as port:
        listening = asyncio.ensure_future(Listener(theirs, room_id, ear.take).run())
        async with meanwhile(listening):
            permit = (await owner.client.join(room_id)).permit.permit
            way = await WebRoad().open(HttpOrigin(f"http://127.0.0.1:{port}"), room_id, permit)
            assert isinstance(way, PiecesWay)
            session = WebSession(way, FileTrack(tones[440], loop=True))
            await until_heard(ear, 440.0, 20)
            await asyncio.sleep(6)
            assert not session.ended.is_set(), session.failure
            assert voices.power_at(ear.heard[-RATE:], 440.0) > 0.9
            await session.close()
    await owner.leave_for_good()
    await guest.leave_for_good()
