"""The rules of invitations, without clock, loop, wire or store."""
