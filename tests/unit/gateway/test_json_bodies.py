"""What JSON bodies may leave out, and what must not pass unseen."""

import pytest
from majlis.room_directory.v1 import room_pb2, room_service_pb2

from services.gateway.domain.errors import BodyInvalid
from services.gateway.messages.reading import parse_json

CREATE = room_service_pb2.CreateRoomRequest


@pytest.mark.parametrize("given", [b'{"visibility": "VISIBILITY_CLOSE"}', b'{"handMode": ""}', b'{"hand_mode": "off"}'])
def test_a_misspelt_choice_is_refused_instead_of_left_out(given: bytes) -> None:
    with pytest.raises(BodyInvalid, match="is none of"):
        parse_json(given, CREATE)


@pytest.mark.parametrize("given", [b'{"visibility": "VISIBILITY_CLOSED"}', b'{"visibility": 2}'])
def test_a_choice_is_known_by_name_and_number(given: bytes) -> None:
    assert parse_json(given, CREATE) == CREATE(visibility=room_pb2.VISIBILITY_CLOSED)


def test_fields_of_newer_clients_are_skipped() -> None:
    assert parse_json(b'{"title": "Talk", "newer": {"a": [1]}, "visibility": null}', CREATE) == CREATE(title="Talk")
