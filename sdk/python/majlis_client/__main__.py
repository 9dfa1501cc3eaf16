"""Runs the `majlis` command as `python -m majlis_client`."""

from majlis_client.cli import app

app(prog_name="majlis")
