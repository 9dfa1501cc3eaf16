"""One file for each proto service."""
