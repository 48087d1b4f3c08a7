"""LSTM, GRU and Elman networks as scikit-learn estimators on a compiled core."""

from importlib import import_module
from importlib.metadata import version
from types import ModuleType

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
    EchoStateClassifier,
    EchoStateRegressor,
    EchoStateSequenceRegressor,
    EchoStateSequenceTagger,
    GRUAutoencoder,
    GRUClassifier,
    GRUEncoderDecoder,
    GRUForecaster,
    GRULanguageModel,
    GRURegressor,
    GRUSequenceLabeller,
    GRUSequenceRegressor,
    GRUSequenceTagger,
    LSTMAutoencoder,
    LSTMClassifier,
    LSTMEncoderDecoder,
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMRegressor,
    LSTMSequenceLabeller,
    LSTMSequenceRegressor,
    LSTMSequenceTagger,
    RecurrentFeatures,
    RNNAutoencoder,
    RNNClassifier,
    RNNEncoderDecoder,
    RNNForecaster,
    RNNLanguageModel,
    RNNRegressor,
    RNNSequenceLabeller,
    RNNSequenceRegressor,
    RNNSequenceTagger,
    SequencePipeline,
    TransformedTargetSequenceRegressor,
)
from rnnkit.persistence import from_onnx, load, save, to_onnx
from rnnkit.sequences import Sequences

__version__ = version("rnnkit")

__all__ = [
    "EchoStateClassifier",
    "EchoStateRegressor",
    "EchoStateSequenceRegressor",
    "EchoStateSequenceTagger",
    "GRUAutoencoder",
    "GRUClassifier",
    "GRUEncoderDecoder",
    "GRUForecaster",
    "GRULanguageModel",
    "GRURegressor",
    "GRUSequenceLabeller",
    "GRUSequenceRegressor",
    "GRUSequenceTagger",
    "LSTMAutoencoder",
    "LSTMClassifier",
    "LSTMEncoderDecoder",
    "LSTMForecaster",
    "LSTMLanguageModel",
    "LSTMRegressor",
    "LSTMSequenceLabeller",
    "LSTMSequenceRegressor",
    "LSTMSequenceTagger",
    "RNNAutoencoder",
    "RNNClassifier",
    "RNNEncoderDecoder",
    "RNNForecaster",
    "RNNLanguageModel",
    "RNNRegressor",
    "RNNSequenceLabeller",
    "RNNSequenceRegressor",
    "RNNSequenceTagger",
    "RecurrentFeatures",
    "SequencePipeline",
    "Sequences",
    "TransformedTargetSequenceRegressor",
    "__version__",
    "callbacks",
    "datasets",
    "distributed",
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


def __getattr__(name: str) -> ModuleType:
    """Import `rnnkit.distributed` when it is asked for: few need it, and all wait for an import."""
    if name == "distributed":
        return import_module("rnnkit.distributed")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
