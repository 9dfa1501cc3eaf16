"""Looks at a deployment from where it is run and says, for each thing that can be wrong, what to do about it."""
