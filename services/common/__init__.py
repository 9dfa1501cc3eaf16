"""Plumbing that every service shares; no word of the product belongs here."""
