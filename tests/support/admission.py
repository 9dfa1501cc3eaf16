"""Real auth and invite processes on SQLite, which tests may make crash at any step of a redemption."""

import asyncio
import multiprocessing
import secrets
import sqlite3
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import grpc
from majlis.auth.v1 import account_pb2, sign_in_service_pb2, sign_in_service_pb2_grpc
from majlis.invite.v1 import invite_service_pb2 as pb
from majlis.invite.v1 import invite_service_pb2_grpc

from tests.support.crashing_service import run
from tests.support.processes import free_port

# Each start forks a process that has imported everything already: dozens of starts would take minutes otherwise.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["services.auth.__main__", "services.invite.__main__"])

START_SECONDS = 30.0


@dataclass
class Admission:
    """The two processes, their databases, and the owner's token."""

    directory: Path
    claim_seconds: float = 900.0
    nats_url: str = "nats://127.0.0.1:9"
    ports: dict[str, int] = field(default_factory=lambda: {"auth": free_port(), "invite": free_port()})
    owner: tuple[tuple[str, str], ...] = ()
    _running: "dict[str, ForkServerProcess]" = field(default_factory=dict)

    async def start(self, service: str) -> None:
        """Starts a service and waits until it serves."""
        ready = self.directory / f"{service}.ready"
        ready.unlink(missing_ok=True)
        self._running[service] = await asyncio.to_thread(self._spawn, service)
        for _ in range(int(START_SECONDS / 0.05)):
            if ready.exists():
                return
            if not self._running[service].is_alive():
                break
            await asyncio.sleep(0.05)
        raise AssertionError((self.directory / f"{service}.out").read_text()[-3000:])

    def _spawn(self, service: str) -> "ForkServerProcess":
        arguments = (service, self._environment(service), str(self.directory / f"{service}.out"))
        process = _FORKS.Process(target=run, args=arguments, name=service)
        process.start()
        return process

    async def died(self, service: str) -> int | None:
        """The exit code of a service that kills itself."""
        await asyncio.to_thread(self._running[service].join, 10)
        return self._running[service].exitcode

    def stop(self) -> None:
        """Stops what still runs."""
        for process in self._running.values():
            if process.is_alive():
                process.terminate()
                process.join(10)
            if process.is_alive():
                process.kill()
                process.join(10)

    def crash_at(self, service: str, step: int | None) -> None:
        """From the next redemption on: die at this step, 0 only counts, None does nothing."""
        file = self.directory / f"{service}.crash"
        file.with_suffix(".log").unlink(missing_ok=True)
        if step is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(str(step))

    def steps(self, service: str) -> list[str]:
        """The steps the last redemption reached."""
        log = self.directory / f"{service}.log"
        return log.read_text().splitlines() if log.exists() else []

    async def set_up(self) -> None:
        """Starts both and makes the owner."""
        for service in ("auth", "invite"):
            await self.start(service)
        token = (self.directory / "owner_link").read_text().strip().partition("#")[2]
        profile = account_pb2.NewProfile(handle="owner_1", display_name="Owner")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.ports['auth']}") as channel:
            stub = sign_in_service_pb2_grpc.SignInServiceStub(channel)
            made = await stub.SetUpOwner(sign_in_service_pb2.SetUpOwnerRequest(token=token, profile=profile))
        self.owner = (("authorization", f"Bearer {made.tokens.access_token}"),)

    async def invite(self) -> tuple[str, str]:
        """Id and code of a new invitation."""
        request = pb.CreateInvitationRequest(request_id=secrets.token_hex(16))
        made = await self._invite("CreateInvitation", request, self.owner)
        return made.invitation.invitation_id, made.invitation.url.rsplit("/", 1)[1]

    async def redeem(self, code: str, request_id: str, handle: str) -> pb.RedeemInvitationResponse:
        """One try."""
        profile = account_pb2.NewProfile(handle=handle, display_name=handle)
        request = pb.RedeemInvitationRequest(code=code, request_id=request_id, profile=profile)
        answer: pb.RedeemInvitationResponse = await self._invite("RedeemInvitation", request)
        return answer

    async def redeem_with_patience(self, code: str, request_id: str, handle: str) -> pb.RedeemInvitationResponse:
        """As a client does: the same request again while a part cannot be reached."""
        for _ in range(100):
            try:
                return await self.redeem(code, request_id, handle)
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
            await asyncio.sleep(0.1)
        raise AssertionError("the parts did not come back")

    def rows(self, service: str, query: str, *values: str) -> list[Any]:
        """Rows of a service's database, as they are on disk."""
        connection = sqlite3.connect(self.directory / f"{service}.db", timeout=5)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    async def _invite(self, method: str, request: Any, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.ports['invite']}") as channel:
            stub = invite_service_pb2_grpc.InviteServiceStub(channel)
            return await getattr(stub, method)(request, metadata=metadata, timeout=10)

    def _environment(self, service: str) -> dict[str, str]:
        secret = self.directory / "service_secret"
        secret.write_text("a secret for tests only")
        values: dict[str, Any] = {
            "public_url": "http://localhost:8080",
            "service_secret_file": secret,
            "database_url": f"sqlite+aiosqlite:///{self.directory}/{service}.db",
            "grpc_listen": f"127.0.0.1:{self.ports[service]}",
            "ready_file": self.directory / f"{service}.ready",
            "nats_url": self.nats_url,
        }
        if service == "auth":
            values |= {"owner_link_file": self.directory / "owner_link"}
        else:
            values |= {
                "auth_address": f"127.0.0.1:{self.ports['auth']}",
                "code_secret_file": self.directory / "code_secret",
                "quota": 1000,
                "claim_seconds": self.claim_seconds,
                "sweep_seconds": 0.2,
                # No relay tells here what it has room for.
                "doors": "open",
            }
        named = {f"{service}_{name}".upper(): str(value) for name, value in values.items()}
        return named | {"CRASH_FILE": str(self.directory / f"{service}.crash")}
