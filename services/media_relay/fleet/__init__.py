"""The relay among its like: the directory, load, draining."""
