"""The rules of accounts and sign-in, without clock, loop, wire or store."""
