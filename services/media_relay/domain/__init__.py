"""The rules of the relay: who may open a session, what a change of a seat does, what a relay can carry."""
