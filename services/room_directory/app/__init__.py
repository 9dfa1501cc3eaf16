"""The use cases of room_directory: load, decide, save, tell; grouped by what they are about."""
