"""The fast JSON writer says what the library's says."""

import json
from typing import Any

from google.protobuf import json_format, struct_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, UninterpretedOption
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from majlis.auth.v1 import account_pb2
from majlis.room_directory.v1 import room_events_pb2, room_pb2

from services.gateway.call.offered import contract_services
from services.gateway.messages.json_writer import to_json


def same(message: Any) -> None:
    assert json.loads(to_json(message)) == json_format.MessageToDict(message)


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 2**64 - 1), st.booleans(), st.integers(0, 2**31))
def test_events_with_any_text_and_number(name: str, title: str, revision: int, muted: bool, seconds: int) -> None:
    event = room_events_pb2.RoomEvent(revision=revision)
    event.snapshot.room.title = title
    event.snapshot.room.started_at.FromSeconds(seconds)
    seat = event.snapshot.stage.add(role=room_pb2.ROLE_SPEAKER, member=seconds, muted=muted)
    seat.person.display_name = name
    event.snapshot.audience_sample.add(display_name=name)
    same(event)


def test_a_part_that_is_shared_is_written_the_same_each_time() -> None:
    snapshot = room_pb2.RoomSnapshot(revision=1)
    snapshot.audience_sample.extend(account_pb2.Profile(display_name=f"Person {n}" * 3) for n in range(40))
    for revision in (1, 2, 1):
        snapshot.revision = revision
        same(room_events_pb2.RoomEvent(revision=revision, snapshot=snapshot))


def test_maps_enums_bytes_doubles_and_known_types() -> None:
    same(error_details_pb2.ErrorInfo(reason="R", metadata={"a": "1", 'quo"te': "2"}))
    same(FieldDescriptorProto(name="x", type=FieldDescriptorProto.TYPE_BOOL, number=-3))
    for value in (1.5, -0.0, 1e300, float("nan"), float("inf"), float("-inf")):
        same(UninterpretedOption(double_value=value, string_value=b"\x00\xff", negative_int_value=-(2**60)))
    known = struct_pb2.Struct()
    known.update({"list": [1, None, "x"], "deep": {"a": True}})
    same(known)


def test_a_number_without_a_name_stays_a_number() -> None:
    assert json.loads(to_json(room_pb2.StageSeat.FromString(b"\x10\x63"))) == {"role": 99}


def test_every_file_of_the_contract_can_be_written() -> None:
    for service in contract_services():
        file = FileDescriptorProto()
        service.file.CopyToProto(file)
        same(file)
