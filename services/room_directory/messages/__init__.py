"""Domain values to messages of the contract and back: of rooms, captions, and relays and other services."""
