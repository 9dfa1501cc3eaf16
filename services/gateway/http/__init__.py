"""The HTTP side of the gateway, as raw ASGI."""
