"""Many rooms at once, played by the load tool: each room is a world of its own."""

from pathlib import Path

import pytest

from tests.load.hall import make_rooms, players
from tests.support import voices
from tests.support.recordings import samples_of
from tests.support.stack import Stack

pytestmark = pytest.mark.alone

TONES = (440, 700, 1130, 330, 880, 550)
"""What majlis-load says in each room, rooms.rs."""
LISTENERS = 3
SECONDS = 4.0


def recordings(folder: Path, room_id: str) -> list[Path]:
    """What the listeners of a room heard."""
    return sorted(folder.glob(f"{room_id}-*.wav"))


async def test_everybody_in_many_rooms_hears_their_own_room_and_no_other(stack: Stack, tmp_path: Path) -> None:
    rooms = await make_rooms(stack, len(TONES), LISTENERS)
    options = ("--tones", "--ear-every", "1", "--tries", "8", "--rate", "10", "--out", str(tmp_path))
    async with players(stack.url, *options) as tool:
        await tool.fill([room.everybody() for room in rooms], SECONDS)
        told = await tool.measured(SECONDS)
        await tool.finish()
    assert (told["admitted"], told["hearing"]) == (LISTENERS * len(TONES),) * 2, told
    assert (told["refused"], told["failures"], told["speakers_ended"]) == ({}, [], []), told
    for room, own in zip(rooms, TONES, strict=True):
        heard = recordings(tmp_path, room.room_id)
        assert len(heard) == LISTENERS
        for file in heard:
            sound = samples_of(file)
            assert voices.power_at(sound, own) > 0.8, f"{file.name} does not hear its own room"
            strange = [hertz for hertz in TONES if hertz != own and voices.power_at(sound, hertz) > 0.01]
            assert not strange, f"{file.name} of the room of {own} Hz hears those of {strange}"
