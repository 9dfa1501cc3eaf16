"""Says which version of the system this is."""

VERSION = "0.2.0"
