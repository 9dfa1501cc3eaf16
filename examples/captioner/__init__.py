"""A bot that listens to a room and writes captions, and one that turns captions of one language into another's."""
