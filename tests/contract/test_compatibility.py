"""Parts of two releases, and programs written for the one before, talk to each other: contracts only grow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from majlis.contract.v1 import options_pb2

from services.common.version import VERSION
from tests.support.releases import NOTHING_RELEASED
from tools.lint_protos import IMAGE, baseline, broken, freeze

FIRST = (0, 2, 0)
"""The version that compatibility counts from."""


@pytest.fixture
def earlier() -> Path:
    image = baseline()
    if image is None:
        pytest.skip(NOTHING_RELEASED)
    return image


def test_a_version_that_others_rely_on_has_its_contracts_kept() -> None:
    version = tuple(int(part) for part in VERSION.split("."))
    assert version < FIRST or baseline() is not None, "run python -m tools.lint_protos freeze"


def test_programs_and_parts_of_the_release_before_understand_every_message(earlier: Path) -> None:
    assert broken(IMAGE, earlier) == []


def test_a_reason_stays_the_refusal_that_it_was(earlier: Path) -> None:
    now = refusals(IMAGE)
    for name, refusal in refusals(earlier).items():
        assert now[name].code == refusal.code, f"{name} has another status"
        assert now[name].http_status == refusal.http_status, f"{name} has another HTTP status"


def refusals(image: Path) -> dict[str, options_pb2.Refusal]:
    """What each reason of an image says."""
    return {
        value.name: value.options.Extensions[options_pb2.refusal]
        for file in FileDescriptorSet.FromString(image.read_bytes()).file
        for enum in file.enum_type
        for value in enum.value
        if value.options.HasExtension(options_pb2.refusal)
    }


Files = dict[str, FileDescriptorProto]


def _rename_json(files: Files) -> None:
    files["majlis/auth/v1/account.proto"].message_type[0].field[0].json_name = "somethingElse"


def _rename_a_claim(files: Files) -> None:
    access = next(m for m in files["majlis/contract/v1/tokens.proto"].message_type if m.name == "AccessClaims")
    next(field for field in access.field if field.name == "sign_in_id").json_name = "session"


def _move_a_message(files: Files) -> None:
    tokens, options = (files[f"majlis/contract/v1/{name}.proto"] for name in ("tokens", "options"))
    at = next(i for i, message in enumerate(tokens.message_type) if message.name == "AccessClaims")
    options.message_type.append(tokens.message_type[at])
    options.message_type[-1].ClearField("options")
    del tokens.message_type[at]


def _take_a_field_away(files: Files) -> None:
    del files["majlis/auth/v1/account.proto"].message_type[0].field[-1]


def _take_an_rpc_away(files: Files) -> None:
    del files["majlis/auth/v1/account_service.proto"].service[0].method[-1]


def _rename_a_reason(files: Files) -> None:
    files["majlis/invite/v1/invite_errors.proto"].enum_type[0].value[1].name = "INVITE_ERROR_REASON_OTHER"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_rename_json, 'changed option "json_name"'),
        (_rename_a_claim, 'changed option "json_name"'),
        (_move_a_message, 'message "AccessClaims" was deleted from file'),
        (_take_a_field_away, "was deleted"),
        (_take_an_rpc_away, "was deleted"),
        (_rename_a_reason, "changed name"),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_a_change_that_breaks_others_is_noticed(change: Callable[[Files], None], said: str, tmp_path: Path) -> None:
    older = freeze(tmp_path / "released", "0.0.1")
    image = FileDescriptorSet.FromString(IMAGE.read_bytes())
    change({file.name: file for file in image.file})
    newer = tmp_path / "newer.binpb"
    newer.write_bytes(image.SerializeToString())
    assert any(said in line for line in broken(newer, older)), broken(newer, older)


def test_a_frozen_baseline_takes_the_place_of_the_one_before_and_fits_what_it_was_made_of(tmp_path: Path) -> None:
    freeze(tmp_path / "released", "0.0.1")
    made = freeze(tmp_path / "released", "0.0.2")
    assert baseline(tmp_path / "released") == made
    assert made.name == "0.0.2.binpb"
    assert broken(IMAGE, made) == []
