"""What processes cost, as the kernel counts it, and where they run."""

import os
from dataclasses import dataclass
from pathlib import Path

PACKET_THREADS = ("relay-",)
"""Names of the packet core's own threads: they carry sound, whatever joins cost."""
DOOR_THREAD = "relay-packet"
"""The one of them that reads the port: sound, connectivity checks and handshakes in one, not to be told apart."""


def thread_seconds(pid: int) -> dict[str, float]:
    """CPU seconds of each thread of a process, by name (names that repeat add up), from the scheduler's own count."""
    result: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            nanoseconds = int((task / "schedstat").read_text().split()[0])
        except (OSError, ValueError):
            continue  # the thread ended meanwhile
        result[name] = result.get(name, 0.0) + nanoseconds / 1e9
    return result


def is_packet_thread(name: str) -> bool:
    """Whether the packet core made that thread."""
    return name.startswith(PACKET_THREADS)


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a process at one moment."""

    packets: float
    """Of threads that carry sound."""
    other: float
    """Of all others."""
    door: float = 0.0
    """Of the thread that reads the port; part of `packets`."""

    @property
    def total(self) -> float:
        return self.packets + self.other

    def since(self, earlier: "Cost") -> "Cost":
        """What was spent meanwhile."""
        return Cost(self.packets - earlier.packets, self.other - earlier.other, self.door - earlier.door)


def cost(pid: int) -> Cost:
    """What a process has spent so far."""
    seconds = thread_seconds(pid)
    packets = sum(spent for name, spent in seconds.items() if is_packet_thread(name))
    return Cost(packets, sum(seconds.values()) - packets, seconds.get(DOOR_THREAD, 0.0))


def resident_kib(pid: int) -> int:
    """Memory a process holds itself: private pages, so that shared libraries do not count twice, KiB."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean", "Private_Dirty", "Anonymous:")) and not line.startswith("Anonymous"):
            total += int(line.split()[1])
    return total


def pin(pid: int, cores: set[int]) -> bool:
    """Keeps all threads of a process on some cores; False where there are not enough cores."""
    if not cores <= set(range(os.cpu_count() or 1)):
        return False
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)
    return True


def prefer(pid: int, thread: str, niceness: int = -10) -> bool:
    """Lets threads of that name run before others where the system allows it; False where it does not."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == thread:
            try:
                os.setpriority(os.PRIO_PROCESS, int(task.name), niceness)
            except PermissionError:
                return False
    return True


def environment(pid: int) -> dict[str, str]:
    """The variables a process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)
