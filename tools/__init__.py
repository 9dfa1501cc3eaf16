"""Tools of the build: bootstrap, generation, linting, and the local supervisor."""
