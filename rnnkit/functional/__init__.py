"""Recurrent layers on plain arrays: trained weights in, hidden states and gradients out.

What reads a caller's arrays into the layers of `rnnkit.network`, and back, may enter; nothing here
computes a step.
"""

from rnnkit.functional.layers import RecurrentOutput, recurrent
from rnnkit.functional.stream import RecurrentStream

__all__ = ["RecurrentOutput", "RecurrentStream", "recurrent"]
