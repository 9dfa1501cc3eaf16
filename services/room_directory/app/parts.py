"""What relays must know of a room: where its stage is, its channels, and what each of them carries."""

from services.room_directory.app.ports import BoothPart, RoomPart
from services.room_directory.domain.channels import CHANNELS
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import RoomState


def part_of(room: Room) -> RoomPart:
    """What relays must know of a room."""
    live = room.state is not RoomState.ENDED
    channels = (*CHANNELS, *room.booths) if live else ()
    booths = tuple(_booth_part(room, language) for language in room.booths)
    return RoomPart(
        room.room_id,
        room.home_relay_id,
        live,
        room.stage_closed(),
        channels,
        room.term,
        booths,
        members=tuple(sorted((seat.member, seat.speaks) for seat in room.stage.values() if not seat.booth)),
        rehearsal=room.rehearsal,
    )


def _booth_part(room: Room, language: str) -> BoothPart:
    seats = room.in_booth(language)
    active = next((seat.member for seat in seats if seat.active), 0)
    return BoothPart(room.booths[language], active, tuple((seat.member, seat.hears) for seat in seats if seat.hears))
