"""A network of a test's own behind a wall that drops what the test says, made of namespaces; nothing else is touched.

The machine has one end of a cable, a router the other, and behind the router is the place where people sit. What the
router drops is gone without a word, as in networks that block calls.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

_OF_NETWORKS = 0x40000000
"""CLONE_NEWNET."""
_SNIFF = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0))
print('ready', flush=True)
seen = set()
while True:
    data, (_, kind, direction, *_) = wire.recvfrom(256)
    if kind != 0x800 or direction == socket.PACKET_OUTGOING:
        continue
    to = socket.inet_ntoa(data[30:34])
    if to not in seen and not 224 <= data[30] < 240:
        seen.add(to)
        print(to, flush=True)
"""
_NUMBERS = itertools.count(os.getpid() % 200)


@dataclass(frozen=True)
class Walled:
    """The place behind the wall."""

    name: str
    machine: str
    """The address at which this machine is reached from there."""
    inside: str
    """The address of whoever is there."""

    def command(self, *command: str) -> list[str]:
        """A command to be run there."""
        return ["ip", "netns", "exec", f"{self.name}-in", *command]

    def socket(self) -> socket.socket:
        """A TCP socket of this process that is there: what it says comes from behind the wall."""
        with ThreadPoolExecutor(1) as there:
            return there.submit(_socket_in, f"/run/netns/{self.name}-in").result()

    def wrapper(self, program: str, path: Path) -> Path:
        """A program that runs another one there, with the arguments it gets."""
        path.write_text(f'#!/bin/sh\nexec {" ".join(self.command(program))} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    @contextlib.contextmanager
    def noting_who_is_spoken_to(self) -> Iterator[set[str]]:
        """The addresses that anything there sends to meanwhile, filled in at the end; multicast is none."""
        found: set[str] = set()
        command = ["ip", "netns", "exec", f"{self.name}-wall", sys.executable, "-c", _SNIFF, f"{self.name}c"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sniffer:
            assert sniffer.stdout is not None
            assert sniffer.stdout.readline() == "ready\n"
            try:
                yield found
            finally:
                sniffer.terminate()
                found.update(sniffer.stdout.read().split())

    def drop_udp(self) -> None:
        """From now on no UDP passes, in either direction."""
        self.pass_udp()
        _run("ip", "-n", f"{self.name}-wall", "rule", "add", "pref", "10", "ipproto", "udp", "blackhole")

    def pass_udp(self) -> None:
        """It passes (again)."""
        command = ["ip", "-n", f"{self.name}-wall", "rule", "del", "pref", "10"]
        subprocess.run(command, check=False, capture_output=True, timeout=10)

    def pass_only_tcp_to(self, port: int) -> None:
        """From now on nothing passes but TCP to one port of the machine and what it answers."""
        self.pass_all()
        self._rule("add", "pref", "5", "ipproto", "tcp", "dport", str(port), "lookup", "main")
        self._rule("add", "pref", "6", "ipproto", "tcp", "sport", str(port), "lookup", "main")
        self._rule("add", "pref", "7", "blackhole")

    def pass_nothing(self) -> None:
        """From now on nothing passes at all."""
        self.pass_all()
        self._rule("add", "pref", "4", "blackhole")

    def pass_all(self) -> None:
        """Everything passes (again)."""
        for pref in ("4", "5", "6", "7", "10"):
            self._rule("del", "pref", pref, check=False)

    def _rule(self, *words: str, check: bool = True) -> None:
        command = ["ip", "-n", f"{self.name}-wall", "rule", *words]
        subprocess.run(command, check=check, capture_output=True, timeout=10)


def _socket_in(place: str) -> socket.socket:
    """Made by a thread that goes there and ends; a socket stays where it was made."""
    with open(place) as namespace:  # noqa: PTH123 (a handle of the kernel's)
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _OF_NETWORKS):
            raise OSError(ctypes.get_errno(), "no socket can be made behind the wall")
    return socket.socket()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=10)


@contextlib.contextmanager
def walled_network() -> Iterator[Walled]:
    """Such a network; the test is skipped where it cannot be made (only root may, on Linux)."""
    number = next(_NUMBERS) % 250
    name, base = f"mj{os.getpid() % 10_000}n{number}", f"10.213.{number}"
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("a network of the test's own needs root, and Debian's iproute2")
    wall, place = f"{name}-wall", f"{name}-in"
    steps = (
        f"ip netns add {wall}",
        f"ip netns add {place}",
        f"ip link add {name}a type veth peer name {name}b netns {wall}",
        f"ip -n {wall} link add {name}c type veth peer name {name}d netns {place}",
        f"ip addr add {base}.1/30 dev {name}a",
        f"ip -n {wall} addr add {base}.2/30 dev {name}b",
        f"ip -n {wall} addr add {base}.5/30 dev {name}c",
        f"ip -n {place} addr add {base}.6/30 dev {name}d",
        f"ip link set {name}a up",
        f"ip -n {wall} link set {name}b up",
        f"ip -n {wall} link set {name}c up",
        f"ip -n {place} link set {name}d up",
        f"ip -n {place} link set lo up",
        f"ip netns exec {wall} sh -c echo\t1\t>/proc/sys/net/ipv4/ip_forward",
        f"ip -n {place} route add default via {base}.5",
        f"ip -n {wall} route add default via {base}.1",
        f"ip route add {base}.4/30 via {base}.2",
    )
    try:
        for step in steps:
            command = step.split(" ")
            _run(*(word.replace("\t", " ") for word in command))
        yield Walled(name, f"{base}.1", f"{base}.6")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine lets no network be made: {error.cmd} {error.stderr.decode()}")
    finally:
        for each in (place, wall):
            subprocess.run(["ip", "netns", "del", each], check=False, capture_output=True, timeout=10)
