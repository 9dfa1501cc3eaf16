"""Migrations expand first and contract a release later, and the check that says so sees what it should."""

import pytest

from tools import lint_migrations

HEAD = 'revision = "0002"\ndown_revision = "0001"\n'


def found(body: str, head: str = HEAD) -> list[str]:
    return list(lint_migrations.findings(f"{head}\ndef upgrade():\n    {body}\n", "1.5.0"))


def test_every_migration_leaves_the_release_before_working() -> None:
    assert len(lint_migrations.scripts()) >= 6
    assert lint_migrations.main() == 0


@pytest.mark.parametrize(
    "body",
    [
        'op.add_column("rooms", sa.Column("topic", sa.Text(), nullable=True))',
        'op.add_column("rooms", sa.Column("topic", sa.Text(), nullable=False, server_default=""))',
        'op.create_table("topics", sa.Column("topic", sa.Text(), nullable=False))',
        'op.create_index("ix_rooms_topic", "rooms", ["topic"], unique=False)',
    ],
)
def test_adding_is_allowed(body: str) -> None:
    assert found(body) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('op.drop_column("rooms", "title")', "drop_column is not additive"),
        ('op.drop_table("rooms")', "drop_table is not additive"),
        ('op.alter_column("rooms", "title", new_column_name="name")', "alter_column is not additive"),
        ('op.rename_table("rooms", "halls")', "rename_table is not additive"),
        ('op.execute("DELETE FROM rooms")', "execute is not additive"),
        ('op.add_column("rooms", sa.Column("topic", sa.Text(), nullable=False))', "does not fill this column"),
        ('op.create_index("ix", "rooms", ["title"], unique=True)', "refuses what the release before may write"),
    ],
)
def test_taking_away_needs_the_mark_and_a_release_that_is_gone(body: str, why: str) -> None:
    assert why in found(body)[0]
    assert found(body, HEAD + 'CONTRACT_SAFE_FROM = "1.4.0"\n') == []
    assert "may still run" in found(body, HEAD + 'CONTRACT_SAFE_FROM = "1.5.0"\n')[0]
    assert "is no release" in found(body, HEAD + 'CONTRACT_SAFE_FROM = "soon"\n')[0]


def test_a_mark_without_need_is_refused() -> None:
    assert "only adds" in found("pass", HEAD + 'CONTRACT_SAFE_FROM = "1.4.0"\n')[0]


def test_the_first_migration_has_nobody_to_disturb() -> None:
    assert found('op.execute("anything")', 'revision = "0001"\ndown_revision = None\n') == []
