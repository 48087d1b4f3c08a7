"""The types of `memory.pyx`: what Python sees of it, an object that C alone uses."""

class Buffer:
    """A piece of aligned memory."""
