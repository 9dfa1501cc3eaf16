"""Programs that use the SDK, to copy from."""
