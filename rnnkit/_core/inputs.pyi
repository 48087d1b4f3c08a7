"""The types of `inputs.pyx`, which only other compiled modules call."""

class LayerInputs:
    """The inputs of a call."""
