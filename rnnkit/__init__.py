"""LSTM, GRU and Elman networks as scikit-learn estimators on a compiled core."""

from rnnkit import functional, metrics
from rnnkit.estimators import (
    GRUClassifier,
    GRURegressor,
    GRUSequenceRegressor,
    GRUSequenceTagger,
    LSTMClassifier,
    LSTMRegressor,
    LSTMSequenceRegressor,
    LSTMSequenceTagger,
    RNNClassifier,
    RNNRegressor,
    RNNSequenceRegressor,
    RNNSequenceTagger,
)
from rnnkit.sequences import Sequences

__version__ = "0.1.0"

__all__ = [
    "GRUClassifier",
    "GRURegressor",
    "GRUSequenceRegressor",
    "GRUSequenceTagger",
    "LSTMClassifier",
    "LSTMRegressor",
    "LSTMSequenceRegressor",
    "LSTMSequenceTagger",
    "RNNClassifier",
    "RNNRegressor",
    "RNNSequenceRegressor",
    "RNNSequenceTagger",
    "Sequences",
    "__version__",
    "functional",
    "metrics",
]
