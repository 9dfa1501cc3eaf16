"""Which owners ran on this machine and are gone: nobody listens any more where they did."""

import asyncio
from typing import Protocol

from services.common.knock import refuses
from services.room_directory.domain.leases import CopyState


class Copies(Protocol):
    """Where copies are written down."""

    async def copies(self) -> list[CopyState]:
        """All that ran lately, whether their time is over or not."""
        ...


async def gone_from_here(copies: Copies, address: str) -> list[str]:
    """The ids of copies at an address of this machine whose port refuses.

    A port of one's own machine that refuses has no process behind it, not even a frozen one: rooms of a copy that was
    killed go on as soon as it starts again, instead of when their leases lapse.
    """
    host = address.rpartition(":")[0]
    here = [copy for copy in await copies.copies() if copy.address.rpartition(":")[0] == host]
    refused = await asyncio.gather(*(refuses(copy.address) for copy in here if copy.address != address))
    others = [copy for copy in here if copy.address != address]
    return [copy.copy_id for copy, is_gone in zip(others, refused, strict=True) if is_gone]
