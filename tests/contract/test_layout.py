"""The rooms of the house: few files at the root of a service, one word for one role, one file for a service's RPCs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_FILES = {"gateway": 8, "media_relay": 9, "room_directory": 7, "common": 12, "auth": 9, "invite": 9}
GRID = {"__main__", "build", "settings"}
SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")


@pytest.mark.parametrize("service", MOST_FILES)
def test_few_files_lie_at_the_root_of_a_service(service: str) -> None:
    files = sorted(path.stem for path in (ROOT / "services" / service).glob("*.py") if path.stem != "__init__")
    assert len(files) <= MOST_FILES[service], files


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_what_each_has_and_no_drawer(service: str) -> None:
    names = {path.stem for path in (ROOT / "services" / service).glob("*.py")}
    assert names >= GRID
    assert not names & {"outside", "utils", "helpers", "misc", "parts", "service"}


@pytest.mark.parametrize("service", ["auth", "invite", "room_directory", "media_relay"])
def test_each_service_of_the_contract_has_one_file_of_rpcs(service: str) -> None:
    home = ROOT / "services" / service
    files = {path.stem: path.read_text() for path in (home / "rpc").glob("*.py")} or {"": (home / "rpc.py").read_text()}
    for proto in sorted((ROOT / "protos" / "majlis" / service / "v1").glob("*_service.proto")):
        (name,) = re.findall(r"^service (\w+) \{", proto.read_text(), re.MULTILINE)
        (home_of,) = [stem for stem, text in files.items() if f"_grpc.{name}Servicer)" in text]
        assert home_of in {"", proto.stem.removesuffix("_service")}
