"""LSTM, GRU and Elman networks as scikit-learn estimators on a compiled core."""

from importlib.metadata import version

from rnnkit import (
    callbacks,
    datasets,
    functional,
    inspection,
    metrics,
    persistence,
    preprocessing,
    training,
)
from rnnkit.configuration import show_config
from rnnkit.estimators import (
    GRUClassifier,
    GRUEncoderDecoder,
    GRURegressor,
    GRUSequenceLabeller,
    GRUSequenceRegressor,
    GRUSequenceTagger,
    LSTMClassifier,
    LSTMEncoderDecoder,
    LSTMRegressor,
    LSTMSequenceLabeller,
    LSTMSequenceRegressor,
    LSTMSequenceTagger,
    RecurrentFeatures,
    RNNClassifier,
    RNNEncoderDecoder,
    RNNRegressor,
    RNNSequenceLabeller,
    RNNSequenceRegressor,
    RNNSequenceTagger,
    TransformedTargetSequenceRegressor,
)
from rnnkit.persistence import from_onnx, load, save, to_onnx
from rnnkit.sequences import Sequences

__version__ = version("rnnkit")

__all__ = [
    "GRUClassifier",
    "GRUEncoderDecoder",
    "GRURegressor",
    "GRUSequenceLabeller",
    "GRUSequenceRegressor",
    "GRUSequenceTagger",
    "LSTMClassifier",
    "LSTMEncoderDecoder",
    "LSTMRegressor",
    "LSTMSequenceLabeller",
    "LSTMSequenceRegressor",
    "LSTMSequenceTagger",
    "RNNClassifier",
    "RNNEncoderDecoder",
    "RNNRegressor",
    "RNNSequenceLabeller",
    "RNNSequenceRegressor",
    "RNNSequenceTagger",
    "RecurrentFeatures",
    "Sequences",
    "TransformedTargetSequenceRegressor",
    "__version__",
    "callbacks",
    "datasets",
    "from_onnx",
    "functional",
    "inspection",
    "load",
    "metrics",
    "persistence",
    "preprocessing",
    "save",
    "show_config",
    "to_onnx",
    "training",
]
