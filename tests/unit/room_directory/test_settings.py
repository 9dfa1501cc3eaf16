"""Where a copy of the directory says that others reach it."""

import pytest

from services.common.settings import SettingsError, load
from services.room_directory.settings import Settings

NEEDED = {"ROOM_DIRECTORY_SERVICE_SECRET_FILE": "secret"}


@pytest.mark.parametrize("address", ["10.0.0.7:9090", "directory-0:9090", "[fd00::7]:9090"])
def test_others_are_told_the_address_that_the_operator_gave(address: str) -> None:
    settings = load(Settings, "room_directory", {**NEEDED, "ROOM_DIRECTORY_GRPC_ADVERTISE": address})
    assert settings.address(1234) == address


def test_an_ipv6_address_with_a_port_behind_it_gets_its_brackets() -> None:
    settings = load(Settings, "room_directory", {**NEEDED, "ROOM_DIRECTORY_GRPC_ADVERTISE": "fd00::7:9090"})
    assert settings.address(1234) == "[fd00::7]:9090"


@pytest.mark.parametrize(
    "address", ["junk", ":9090", "host:0", "host:99999", "0.0.0.0:9090", "[::]:1", "http://h:9090"]
)
def test_an_address_that_nobody_could_be_sent_to_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(
        SettingsError,
        match=r"ROOM_DIRECTORY_GRPC_ADVERTISE.* is not allowed.*: it must be host:port, as others reach it",
    ):
        load(Settings, "room_directory", {**NEEDED, "ROOM_DIRECTORY_GRPC_ADVERTISE": address})
