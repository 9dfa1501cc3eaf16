"""Files that nobody but their owner reads."""

import stat
from pathlib import Path

from services.common.trust.private import keep_from_others, open_to_others, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_others_can_read_is_found_and_mended_wherever_it_lies(tmp_path: Path) -> None:
    data, deep = tmp_path / "data", tmp_path / "data" / "old"
    deep.mkdir(parents=True)
    for folder in (data, deep):
        folder.chmod(0o755)
    for path in (data / "auth.db", data / "auth.db-wal", deep / "auth.db"):
        path.write_text("keys")
        path.chmod(0o644)
    (data / "closed").touch(0o600)
    found = set(open_to_others(data))
    assert found == {data, deep, data / "auth.db", data / "auth.db-wal", deep / "auth.db"}
    assert keep_from_others(data) == []
    assert list(open_to_others(data)) == []
    assert (mode(data), mode(data / "auth.db")) == (0o700, 0o600)
    assert list(open_to_others(tmp_path / "nowhere")) == []


def test_what_a_link_leads_to_and_what_is_meant_for_others_is_left_alone(tmp_path: Path) -> None:
    elsewhere, secrets = tmp_path / "elsewhere", tmp_path / "secrets"
    (secrets / "compose").mkdir(parents=True)
    for path in (elsewhere, secrets / "compose" / "service"):
        path.write_text("text")
        path.chmod(0o644)
    (secrets / "link").symlink_to(elsewhere)
    assert keep_from_others(secrets, {"compose"}) == []
    assert (mode(secrets), mode(elsewhere), mode(secrets / "compose" / "service")) == (0o700, 0o644, 0o644)


def test_a_private_file_takes_the_place_of_one_that_others_could_read_and_of_no_half_of_it(tmp_path: Path) -> None:
    path = tmp_path / "copy.json"
    path.write_text("before")
    path.chmod(0o644)
    write_private(path, "after")
    assert (path.read_text(), mode(path)) == ("after", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["copy.json"]
