"""What an operator has to put right."""


class OperatorError(Exception):
    """A job cannot be done as things stand, in words for the operator."""
