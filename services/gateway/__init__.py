"""The one public origin: web client, API, event streams, WHIP and WHEP; it keeps nothing."""
