"""The rules of a room: no loop, no clock, no wire, no store."""
