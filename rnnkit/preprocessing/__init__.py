"""Transformers for sequences: scaling, filling gaps, windows over series, padding, token ids.

What turns sequences into sequences, or into arrays, without a network may enter.
"""

from rnnkit.preprocessing.imputer import SequenceImputer
from rnnkit.preprocessing.padding import Padder
from rnnkit.preprocessing.scaler import SequenceScaler
from rnnkit.preprocessing.tokens import TokenEncoder
from rnnkit.preprocessing.windows import SlidingWindows

__all__ = ["Padder", "SequenceImputer", "SequenceScaler", "SlidingWindows", "TokenEncoder"]
