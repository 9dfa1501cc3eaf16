"""Reverse proxies as the guide writes them, in front of a system of the test's own."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.printed import ROOT, blocks
from tests.support.processes import free_port, stopping
from tests.support.stack import Stack

GUIDE = ROOT / "docs" / "guides" / "behind-a-proxy.md"
START_SECONDS = 10.0


@dataclass(frozen=True)
class Proxy:
    """Where it listens, and whose certificates are believed."""

    port: int
    grpc_port: int
    ca_file: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


@asynccontextmanager
async def proxy_of_the_guide(name: str, stack: Stack, folder: Path) -> AsyncIterator[Proxy]:
    """The guide's block with ports, names and files of this test; skipped without the program (in CI it fails)."""
    if shutil.which(name) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not here: in CI this test must run")
        pytest.skip(f"{name} is not here: install its Debian package")
    authority = Authority(folder / "certificates")
    certificate, key = authority.issue("hall.example")
    proxy = Proxy(free_port(), free_port(), authority.ca_file)
    (text,) = blocks(GUIDE, name)
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{stack.port}").replace("127.0.0.1:8081", stack.grpc_address)
    text = text.replace("/etc/ssl/hall/fullchain.pem", str(certificate)).replace("/etc/ssl/hall/privkey.pem", str(key))
    command = _nginx(text, proxy, folder) if name == "nginx" else _caddy(text, proxy, folder, certificate, key)
    with (folder / "output.log").open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            command, stdout=out, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, "HOME": str(folder)}
        )
    with stopping(process):
        for port in (proxy.port, proxy.grpc_port):
            await _until_it_listens(port, lambda: (folder / "output.log").read_text(errors="replace"))
        yield proxy


def _nginx(text: str, proxy: Proxy, folder: Path) -> list[str]:
    text = text.replace("listen 443 ", f"listen 127.0.0.1:{proxy.port} ")
    text = text.replace("listen 444 ", f"listen 127.0.0.1:{proxy.grpc_port} ")
    kept = "\n".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n"
    config = folder / "nginx.conf"
    config.write_text(f"{main}events {{}}\nhttp {{\naccess_log off;\n{kept}\n{text}\n}}\n")
    return ["nginx", "-c", str(config), "-p", str(folder), "-e", "stderr"]


def _caddy(text: str, proxy: Proxy, folder: Path, certificate: Path, key: Path) -> list[str]:
    tls = f"\n\tbind 127.0.0.1\n\ttls {certificate} {key}"
    text = text.replace("hall.example:444 {", f"https://localhost:{proxy.grpc_port} {{{tls}")
    text = text.replace("hall.example {", f"https://localhost:{proxy.port} {{{tls}")
    config = folder / "Caddyfile"
    config.write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{text}")
    return ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]


async def _until_it_listens(port: int, output: Callable[[], str]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)
    raise AssertionError(f"the proxy did not start:\n{output()[-2000:]}")
