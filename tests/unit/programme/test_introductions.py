"""Who says to be a relay is asked at the address that was told, and only its own answer counts."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from services.common.errors import PartUnavailable
from services.common.tasks import Background
from services.programme.introductions import MOST_STRANGERS, Introductions


@dataclass(frozen=True)
class Said:
    relay_id: str
    grpc_address: str
    boot_id: str = "boot"
    free: int = 0


class Porch:
    """Somebody who hears of relays, and the relays that are there, by address."""

    def __init__(self, background: Background) -> None:
        self.there: dict[str, Said] = {}
        self.known: dict[str, Said] = {}
        self.asked: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.gave_way: list[str] = []
        self.introductions = Introductions[Said](
            background,
            knows=lambda relay_id: relay_id in self.known,
            recognises=self.recognises,
            ask=self.ask,
            take_in=self.take_in,
            monotonic=lambda: 0.0,
            gave_way=self.gave_way.append,
        )

    def recognises(self, said: Said) -> bool:
        known = self.known.get(said.relay_id)
        return known is not None and (known.boot_id, known.grpc_address) == (said.boot_id, said.grpc_address)

    async def ask(self, said: Said) -> Said:
        self.asked.append(said.relay_id)
        await self.answers.wait()
        if said.grpc_address not in self.there:
            raise PartUnavailable("nobody is there")
        return self.there[said.grpc_address]

    async def take_in(self, said: Said) -> None:
        self.known[said.relay_id] = said

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def porch():  # type: ignore[no-untyped-def]
    async with Background() as background:
        yield Porch(background)


REAL = Said("relay00001", "real:1", free=10)


async def test_what_a_relay_says_itself_counts_not_what_was_said_of_it(porch: Porch) -> None:
    porch.there["real:1"] = REAL
    porch.introductions.look_at(replace(REAL, free=1_000_000))
    await porch.settle()
    assert porch.known == {"relay00001": REAL}


async def test_made_up_relays_never_count_wherever_they_say_to_be(porch: Porch) -> None:
    porch.there["real:1"] = REAL
    porch.introductions.look_at(Said("madeup0001", "nowhere:1"))
    porch.introductions.look_at(Said("madeup0002", "real:1"))
    await porch.settle()
    assert porch.known == {}
    assert not porch.introductions.looks_at("madeup0001")


async def test_another_start_is_asked_and_the_one_that_is_known_counts_until_it_answered(porch: Porch) -> None:
    porch.there["real:1"] = porch.known["relay00001"] = REAL
    porch.introductions.look_at(Said("relay00001", "elsewhere:1", boot_id="forged"))
    await porch.settle()
    assert porch.known == {"relay00001": REAL}
    again = porch.there["real:1"] = replace(REAL, boot_id="again")
    porch.introductions.look_at(again)
    await porch.settle()
    assert porch.known == {"relay00001": again}


async def test_of_strangers_a_few_are_asked_at_once_and_relays_that_are_known_wait_for_none(porch: Porch) -> None:
    porch.known["relay00001"] = REAL
    porch.there["real:1"] = replace(REAL, boot_id="again")
    porch.answers.clear()
    for number in range(MOST_STRANGERS + 10):
        porch.introductions.look_at(Said(f"madeup{number:04}", "nowhere:1"))
    porch.introductions.look_at(porch.there["real:1"])
    await porch.settle()
    assert len(porch.asked) == MOST_STRANGERS + 1
    assert porch.gave_way == ["unknown"] * 10
    porch.answers.set()
    await porch.settle()
    assert porch.known == {"relay00001": porch.there["real:1"]}


async def test_what_was_told_while_a_relay_was_asked_is_taken_in_after_its_answer(porch: Porch) -> None:
    porch.there["real:1"] = REAL
    porch.answers.clear()
    porch.introductions.look_at(REAL)
    await porch.settle()
    porch.introductions.look_at(replace(REAL, free=7))
    porch.answers.set()
    await porch.settle()
    assert porch.known["relay00001"].free == 7
    assert porch.asked == ["relay00001"]
