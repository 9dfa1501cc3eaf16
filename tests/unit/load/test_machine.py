"""What the kernel says of processes: CPU by thread, memory, environment."""

import mmap
import os
import threading

from tests.load import machine


def test_work_of_this_process_is_counted() -> None:
    before = machine.cost(os.getpid())
    sum(number * number for number in range(2_000_000))
    spent = machine.cost(os.getpid()).since(before)
    assert spent.other > 0.01
    assert spent.packets == 0


def test_threads_of_the_packet_core_are_counted_apart() -> None:
    assert machine.is_packet_thread("relay-sender-0")
    assert not machine.is_packet_thread("python")
    cost = machine.Cost(packets=2.0, other=3.0)
    assert cost.total == 5.0
    assert cost.since(machine.Cost(0.5, 1.0)) == machine.Cost(1.5, 2.0)
    assert machine.Cost(2.0, 3.0, 1.5).since(machine.Cost(0.5, 1.0, 0.5)).door == 1.0


def test_memory_grows_with_what_is_held() -> None:
    held = 64 << 20
    # Pages of its own: what the interpreter frees and takes again would not show.
    with mmap.mmap(-1, held) as pages:
        before = machine.resident_kib(os.getpid())
        for page in range(0, held, mmap.PAGESIZE):
            pages[page] = 1
        assert machine.resident_kib(os.getpid()) - before > held // 1024 * 0.9


def test_cores_that_are_not_there_are_not_pinned_to() -> None:
    assert not machine.pin(os.getpid(), {100_000})


def test_name_of_every_thread_is_known() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert len(machine.thread_seconds(os.getpid())) >= 1
    finally:
        done.set()
        thread.join()
