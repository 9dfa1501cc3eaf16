"""NATS: one connection, typed subjects, the keys to log in with."""
