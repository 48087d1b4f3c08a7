"""Transformers for sequences: scaling, windows over long series, padding and token ids.

What turns sequences into sequences, or into arrays, without a network may enter.
"""

from rnnkit.preprocessing.padding import Padder
from rnnkit.preprocessing.scaler import SequenceScaler
from rnnkit.preprocessing.tokens import TokenEncoder
from rnnkit.preprocessing.windows import SlidingWindows

__all__ = ["Padder", "SequenceScaler", "SlidingWindows", "TokenEncoder"]
