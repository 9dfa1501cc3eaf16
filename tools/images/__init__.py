"""Builds the images of the five services and starts them as they are meant to run."""
