"""What the supervisor writes down: whole, for the right readers, and again once a full disk has room."""

import json
import stat
from pathlib import Path

from ops.run.plan import Part
from ops.run.records import Records
from ops.state_folder import keep_private, make_folder
from services.common.trust.private import open_to_others

PARTS = [
    Part("nats", [], ready_url="http://127.0.0.1:1/healthz"),
    Part("room_directory", [], ready_url="http://127.0.0.1:2/readyz", metrics="127.0.0.1:2"),
]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_prometheus_finds_the_parts_under_the_names_of_the_rules_and_other_users_find_nothing_else(
    tmp_path: Path,
) -> None:
    state = tmp_path / "var"
    make_folder(state)
    records = Records(state, print)
    records.targets(PARTS)
    records.running("http://localhost:8080", ((part, 7) for part in PARTS))
    found = json.loads((state / "prometheus" / "targets.json").read_text())
    assert found == [{"targets": ["127.0.0.1:2"], "labels": {"job": "room-directory", "instance": "room-directory"}}]
    assert (mode(state), mode(state / "prometheus"), mode(state / "prometheus" / "targets.json")) == (
        0o711,
        0o755,
        0o644,
    )
    assert json.loads((state / "run.json").read_text())["parts"]["nats"]["pid"] == 7
    assert mode(state / "run.json") == 0o600


def test_what_could_not_be_written_is_said_once_and_written_when_that_works_again(tmp_path: Path) -> None:
    state, said = tmp_path / "var", list[str]()
    records = Records(state, said.append)
    for pid in (1, 2):
        records.running("http://localhost:8080", [(PARTS[0], pid)])
    records.write()
    assert len(said) == 1
    assert "run.json cannot be written" in said[0]
    make_folder(state)
    records.write()
    assert json.loads((state / "run.json").read_text())["parts"]["nats"]["pid"] == 2
    assert said[1:] == ["majlis: what runs is written down again"]


def test_an_installation_that_others_could_read_is_mended_at_the_next_start(tmp_path: Path) -> None:
    state = tmp_path / "var"
    for name in (
        "data/auth.db",
        "data/auth.db-wal",
        "log/auth.log",
        "mail/1.json",
        "secrets/service",
        "nats/nats.conf",
    ):
        path = state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("keys and addresses")
        path.chmod(0o644)
    (state / "owner-link").touch(0o644)
    bench = state / "bench"
    bench.mkdir()
    for folder in (state, bench):
        # Whatever the mask of this process is.
        folder.chmod(0o755)
    make_folder(state)
    assert keep_private(state) == []
    assert set(open_to_others(state)) == {state, bench}
