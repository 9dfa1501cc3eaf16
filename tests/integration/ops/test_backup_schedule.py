"""Backups that come by themselves: when they are due, what is kept, and what is told of them."""

import asyncio
import json
import shutil
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from ops import backup_schedule
from ops.backup_schedule import Told, keep_on, last
from ops.kept_backups import MANIFEST, forget, whole
from services.common.sight.metrics import Metrics

DAY = 86_400.0


def lay(folder: Path, name: str, made_at: int) -> Path:
    """A backup, as far as its name and its manifest go."""
    made = folder / f"majlis-{name}"
    made.mkdir(parents=True)
    (made / MANIFEST).write_text(json.dumps({"made_at": made_at}))
    return made


def said(told: Told) -> str:
    return generate_latest(told.metrics.registry).decode()


class Maker:
    """Makes backups of nothing, at the time it is told; stops the schedule after so many calls."""

    def __init__(self, folder: Path, stop: asyncio.Event, calls: int = 1, *, works: bool = True) -> None:
        self.folder, self.stop, self.left, self.works = folder, stop, calls, works
        self.now, self.made = 10 * DAY, 0

    async def __call__(self) -> Path:
        self.left -= 1
        if self.left == 0:
            self.stop.set()
        if not self.works:
            raise OSError("no room on the disk")
        self.made += 1
        return lay(self.folder, f"new{self.made}", int(self.now))


async def test_a_backup_is_made_at_once_where_there_is_none_and_its_time_is_told(tmp_path: Path) -> None:
    stop, told = asyncio.Event(), Told(Metrics("backup"))
    make = Maker(tmp_path, stop)
    await keep_on(make, tmp_path, DAY, told, stop, clock=lambda: make.now)
    assert make.made == 1
    assert "majlis_backup_completed_timestamp_seconds 864000.0" in said(told)


async def test_a_restart_makes_no_backup_while_the_last_one_is_fresh_and_tells_of_that_one(tmp_path: Path) -> None:
    stop, told = asyncio.Event(), Told(Metrics("backup"))
    make = Maker(tmp_path, stop)
    lay(tmp_path, "old", int(make.now - 3600))
    keeping = asyncio.create_task(keep_on(make, tmp_path, DAY, told, stop, clock=lambda: make.now))
    await asyncio.sleep(0)
    assert "completed_timestamp_seconds 860400.0" in said(told)
    stop.set()
    await keeping
    assert make.made == 0


async def test_a_backup_that_fails_is_counted_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(backup_schedule, "AGAIN_SECONDS", 0.001)
    stop, told = asyncio.Event(), Told(Metrics("backup"))
    await keep_on(Maker(tmp_path, stop, calls=2, works=False), tmp_path, DAY, told, stop)
    assert "majlis_backup_failures_total 2.0" in said(told)
    assert "majlis_backup_completed_timestamp_seconds 0.0" in said(told)
    assert "no room on the disk" in capsys.readouterr().err


def test_the_oldest_go_when_only_some_are_kept_and_what_is_unfinished_is_no_backup(tmp_path: Path) -> None:
    for day in ("20260101T000000Z", "20260102T000000Z", "20260103T000000Z"):
        lay(tmp_path, day, 1)
    (tmp_path / "majlis-20260104T000000Z").mkdir()
    assert [path.name for path in forget(tmp_path, 2)] == ["majlis-20260101T000000Z"]
    assert [path.name for path in whole(tmp_path)] == ["majlis-20260102T000000Z", "majlis-20260103T000000Z"]
    assert forget(tmp_path, 0) == []
    shutil.rmtree(tmp_path)
    assert last(tmp_path) == 0


async def test_who_asks_its_port_is_told_when_the_last_backup_was_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    port: list[int] = []

    class Watched(Metrics):
        async def serve(self, listen: str) -> int:
            port.append(await super().serve(listen))
            return port[0]

    monkeypatch.setattr(backup_schedule, "Metrics", Watched)

    async def make() -> Path:
        return lay(tmp_path, "20260101T000000Z", 1_800_000_000)

    def ask() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port[0]}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    serving = asyncio.create_task(backup_schedule.serve(make, tmp_path, DAY, "127.0.0.1:0"))
    async with asyncio.timeout(10):
        while not seen or "timestamp_seconds 1.8e+09" not in seen[-1]:
            await asyncio.sleep(0.02)
            if port:
                seen.append(await asyncio.to_thread(ask))
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
