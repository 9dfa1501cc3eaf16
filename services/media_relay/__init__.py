"""Moves sound: media sessions, the stage, the programme, fan-out."""
