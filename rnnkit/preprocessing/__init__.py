"""Transformers for sequences: scaling, gaps, folds, differences, times, windows, summaries, ids.

What turns sequences into sequences, or into arrays, without a network may enter.
"""

from rnnkit.preprocessing.calendars import CalendarFeatures
from rnnkit.preprocessing.differencing import Difference
from rnnkit.preprocessing.folding import Fold
from rnnkit.preprocessing.fourier import FourierTime
from rnnkit.preprocessing.imputer import SequenceImputer
from rnnkit.preprocessing.padding import Padder
from rnnkit.preprocessing.scaler import SequenceScaler
from rnnkit.preprocessing.summary import SequenceSummary
from rnnkit.preprocessing.tokens import TokenEncoder
from rnnkit.preprocessing.windows import SlidingWindows

__all__ = [
    "CalendarFeatures",
    "Difference",
    "Fold",
    "FourierTime",
    "Padder",
    "SequenceImputer",
    "SequenceScaler",
    "SequenceSummary",
    "SlidingWindows",
    "TokenEncoder",
]
