"""How many listeners over HTTPS a gateway lets in."""

import pytest

from services.programme.https_work import Budget, Load

GIB = 2**30


@pytest.mark.parametrize(
    ("cores", "memory", "most", "listeners"),
    [
        (4, 16 * GIB, 5000, 5000),
        (4, 16 * GIB, 50_000, 5000),
        (0.5, 16 * GIB, 5000, 2500),
        (2, GIB // 2, 5000, 2048),
        (2, None, 300, 300),
        (0.01, 1, 5000, 1),
    ],
)
def test_it_is_what_core_memory_and_setting_allow_whichever_is_least(
    cores: float, memory: int | None, most: int, listeners: int
) -> None:
    assert Budget(cores, memory).listeners(most) == listeners


def test_a_thousand_cost_a_tenth_of_a_core_and_64_mib() -> None:
    load = Load(1024)
    assert (load.millicores, load.memory_bytes) == (102, 64 * 2**20)
