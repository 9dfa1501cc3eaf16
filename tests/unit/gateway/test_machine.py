"""What a gateway takes from its control group."""

from pathlib import Path

from services.gateway.media.machine import budget, within
from services.gateway.settings import Settings
from services.programme.https_work import Budget


def test_a_control_group_bounds_cores_and_memory_and_without_one_the_machine_does(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("268435456\n")
    assert budget(tmp_path) == Budget(0.5, 2**28)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    free = budget(tmp_path)
    assert free.cores >= 1
    assert free == budget(tmp_path / "none")


def test_a_small_gateway_lets_in_fewer_than_it_was_told_it_may() -> None:
    settings = Settings(service_secret_file=Path("secret"))
    assert within(settings, Budget(1, 2**26)).max_listeners == 256
    assert within(settings, Budget(8, 2**40)).max_listeners == settings.max_listeners
