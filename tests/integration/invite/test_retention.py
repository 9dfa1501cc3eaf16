"""Invitations that came to nothing go after their time, and a deleted person's words go at once."""

from datetime import timedelta

from sqlalchemy import select

from services.invite.storage.retention import delete_closed_invitations
from services.invite.storage.tables import invitations
from tests.integration.invite.conftest import Door


async def notes(door: Door) -> dict[str, str]:
    async with door.database.read() as session:
        rows = await session.execute(select(invitations.c.invitation_id, invitations.c.note))
        return {row.invitation_id: row.note for row in rows}


async def test_expired_and_revoked_invitations_go_and_redeemed_ones_stay(door: Door) -> None:
    _, code = await door.invite(note="For Samir")
    guest = await door.redeem(code, "request0000000001" * 2, "samir")
    await door.invite()
    revoked, _ = await door.invite(guest)
    await door.invitations.revoke(guest, revoked)
    door.clock.advance(timedelta(days=31).total_seconds())
    await door.invitations.expire()
    assert await delete_closed_invitations(door.database, door.clock.now() - timedelta(days=2)) == 0
    assert await delete_closed_invitations(door.database, door.clock.now()) == 2
    assert list((await notes(door)).values()) == ["For Samir"]


async def test_a_deleted_person_s_notes_and_the_note_about_them_are_emptied(door: Door) -> None:
    about, code = await door.invite(note="Samir from the choir")
    other, _ = await door.invite(note="Olga")
    guest = await door.redeem(code, "request0000000001" * 2, "samir")
    theirs, _ = await door.invite(guest, note="My cousin")
    await door.tree.account_deleted(guest)
    assert await notes(door) == {about: "", theirs: "", other: "Olga"}
