"""The Alembic scripts of room_directory."""
