"""Keeps what room_directory must not forget: rooms, blocks, reports, relays, keys."""
