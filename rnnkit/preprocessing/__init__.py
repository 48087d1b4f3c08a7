"""Transformers for sequences: scaling, windows over long series, padding and token ids."""

from rnnkit.preprocessing.padding import Padder
from rnnkit.preprocessing.scaler import SequenceScaler
from rnnkit.preprocessing.tokens import TokenEncoder
from rnnkit.preprocessing.windows import SlidingWindows

__all__ = ["Padder", "SequenceScaler", "SlidingWindows", "TokenEncoder"]
