"""Event streams: who watches what, and the feeds of rooms."""
