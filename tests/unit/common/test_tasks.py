"""Background work that is cut off because its owner stops is no fault, whatever the driver beneath it makes of that."""

import asyncio

import pytest

from services.common.sight import log
from services.common.tasks import Background


@pytest.mark.parametrize("restart", [False, True])
async def test_a_write_that_is_cut_off_by_stopping_prints_no_stack_and_is_not_begun_again(
    capsys: pytest.CaptureFixture[str], restart: bool
) -> None:
    log.configure("test", "json", "debug")
    begun = 0

    async def write() -> None:
        nonlocal begun
        begun += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("the batch was not executed") from None

    background = Background()
    background.spawn("a write", write, restart=restart)
    await asyncio.sleep(0.1)
    await background.stop()
    printed = "".join(capsys.readouterr())
    assert (begun, len(background)) == (1, 0)
    assert "a write" in printed
    assert "Traceback" not in printed


async def test_a_fault_at_work_is_told_with_its_stack(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("test", "json", "debug")

    async def fail() -> None:
        raise RuntimeError("a real fault")

    async with Background() as background:
        background.spawn("work", fail)
        await asyncio.sleep(0.1)
    assert "Traceback" in "".join(capsys.readouterr())
