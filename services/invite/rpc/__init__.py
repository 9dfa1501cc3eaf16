"""The RPCs of invite: one file for each of its proto services."""
