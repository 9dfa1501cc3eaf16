"""The local supervisor: NATS and the five services as separate processes on one machine."""
