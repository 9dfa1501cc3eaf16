"""Holds the contracts to their own rules: caller policies, subjects, reasons, comments."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.rpc import code_pb2  # type: ignore[import-untyped]
from majlis.contract.v1 import options_pb2

from services.common.errors import DomainError
from services.common.rpc.policy import policy_of
from services.common.rpc.reasons import Refusal, kind_of, refusals_of
from tools.bootstrap import tree

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")
EVENT_FILES = re.compile(r"(_facts|_events)\.proto$")


def files() -> Iterator[FileDescriptor]:
    for path in sorted(PROTOS.rglob("*.proto")):
        name = path.relative_to(PROTOS).with_suffix("").as_posix().replace("/", ".")
        yield importlib.import_module(f"{name}_pb2").DESCRIPTOR


def methods() -> list[MethodDescriptor]:
    return [method for file in files() for service in file.services_by_name.values() for method in service.methods]


def messages() -> list[Descriptor]:
    return [message for file in files() for message in file.message_types_by_name.values()]


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_every_rpc_says_who_may_call_it(method: MethodDescriptor) -> None:
    policy = method.GetOptions().Extensions[options_pb2.caller]
    assert policy.kind != options_pb2.CALLER_UNSPECIFIED
    if policy.kind == options_pb2.CALLER_SERVICE:
        assert policy.services, "an RPC for services names them"
        assert set(policy.services) <= set(SERVICES)
    else:
        assert not policy.services


def comment_of(method: MethodDescriptor) -> str:
    """What the contract says of an RPC, as one line."""
    text = (ROOT / "protos" / method.containing_service.file.name).read_text()
    comment = re.search(rf"((?:  //.*\n)+)  rpc {method.name}\(", text)
    assert comment, f"{method.full_name} has no comment"
    return " ".join(line.strip().removeprefix("//").strip() for line in comment.group(1).splitlines())


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_every_rpc_says_its_reasons_and_whether_it_may_be_called_again_in_its_comment(method: MethodDescriptor) -> None:
    comment = comment_of(method)
    assert re.search(r"\b([Nn]ot i|[Ii])dempotent\b", comment), "may it be called twice?"
    assert "Reasons: " in comment, "why may it refuse?"


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_a_call_of_people_may_be_sent_again_where_its_comment_calls_it_idempotent(method: MethodDescriptor) -> None:
    policy = policy_of(method)
    if policy.kind != options_pb2.CALLER_SERVICE and not policy.streams_out:
        assert policy.may_repeat == bool(re.search(r"\bIdempotent\b", comment_of(method)))


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_every_reason_an_rpc_names_is_one_of_its_service(method: MethodDescriptor) -> None:
    service = method.containing_service.file.name.split("/")[1]
    reasons = comment_of(method).split("Reasons: ", 1)[1]
    # A stream ends with what the directory says of the room it shows.
    sources = {
        service,
        *re.findall(r"those of (\w+)\.", reasons),
        *(["room_directory"] if service == "gateway" else []),
    }
    named = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b|\b[A-Z]{4,}\b", reasons))
    assert named or "none" in reasons or len(sources) > 1
    undeclared = named - declared_reasons(*sources).keys()
    assert not undeclared, f"{method.full_name} names {undeclared}, which no contract declares"


def test_every_event_names_its_subject_with_fields_that_exist() -> None:
    seen = []
    for message in messages():
        subject = message.GetOptions().Extensions[options_pb2.subject]
        if not subject:
            continue
        seen.append(subject)
        service, version, *_ = subject.split(".")
        assert service in {*SERVICES, "programme"}, "of a service, or of the programme that services share"
        assert version == "v1"
        for name in re.findall(r"\{(\w+)\}", subject):
            assert name in message.fields_by_name, f"{message.full_name} has no field {name}"
    assert len(seen) == len(set(seen)), "two events on one subject"
    assert len(seen) > 20


def test_numbered_messages_of_event_files_are_events_or_envelopes() -> None:
    for file in files():
        if not EVENT_FILES.search(file.name):
            continue
        for message in file.message_types_by_name.values():
            has_subject = bool(message.GetOptions().Extensions[options_pb2.subject])
            assert has_subject or message.oneofs, f"{message.full_name} is neither an event nor an envelope of them"


def declared_reasons(*services: str) -> dict[str, Refusal]:
    """What the contracts of these services say of their reasons and of those common to all."""
    names = {*services, "contract"}
    errors = [file for file in files() if file.name.endswith("_errors.proto") and file.name.split("/")[1] in names]
    return refusals_of(*(enum for file in errors for enum in file.enum_types_by_name.values()))


def test_a_reason_that_several_services_give_is_the_same_refusal_everywhere() -> None:
    # It raises where two differ: a client knows the word alone.
    everything = declared_reasons(*SERVICES)
    assert {"RATE_LIMITED", "ROOM_FULL", "PERMIT_SPENT", "SIGNED_OUT", "HANDLE_TAKEN"} <= everything.keys()


def test_what_ends_or_needs_something_new_is_not_waited_for() -> None:
    for reason, refusal in declared_reasons(*SERVICES).items():
        assert not (refusal.remedy and refusal.ending), f"{reason} is over, so nothing helps"
        if refusal.code in (code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED, code_pb2.ABORTED):
            assert refusal.remedy in (options_pb2.REMEDY_WAIT, options_pb2.REMEDY_WAIT_FOR_ROOM), reason


def subclasses(base: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in base.__subclasses__():
        yield child
        yield from subclasses(child)


def import_all(service: str) -> None:
    for path in tree(ROOT / "services" / service, "*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not {"__main__", "__init__", "migrations", "packetcore"}.intersection(parts):
            importlib.import_module(".".join(parts))


@pytest.mark.parametrize("service", SERVICES)
def test_every_reason_a_service_raises_is_declared_in_its_contract_with_its_status(service: str) -> None:
    import_all(service)
    declared = declared_reasons(service)
    for error in subclasses(DomainError):
        reason: str = vars(error).get("reason", "")
        if error.__module__.startswith(f"services.{service}.") and reason:
            assert reason in declared, f"{error.__qualname__} gives {reason}, which no contract declares"
            assert error.kind == kind_of(declared[reason]), f"{error.__qualname__} and its contract differ"


@pytest.mark.parametrize("service", SERVICES)
def test_every_declared_reason_is_raised_somewhere_in_its_service(service: str) -> None:
    own = declared_reasons(service).keys() - declared_reasons().keys()
    text = "\n".join(path.read_text() for path in tree(ROOT / "services" / service, "*.py"))
    unused = {reason for reason in own if f'"{reason}"' not in text}
    assert not unused, f"{service} declares reasons that nothing gives: {unused}"
