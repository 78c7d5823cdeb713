"""The error that ends a command."""

__all__ = ["Refused"]


class Refused(Exception):
    """What was asked for cannot be done; the message is all that the user needs to see."""
