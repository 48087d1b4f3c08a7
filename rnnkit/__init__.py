"""LSTM, GRU and Elman networks as scikit-learn estimators on a compiled core."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rnnkit import (
    callbacks,
    functional,
    metrics,
    persistence,
    preprocessing,
    training,
)
from rnnkit.configuration import show_config
from rnnkit.convolutions import Convolution
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
from rnnkit.estimators.quantizing import quantize
from rnnkit.persistence import from_onnx, load, save, to_onnx
from rnnkit.sequences import Sequences

if TYPE_CHECKING:
    from rnnkit import datasets as datasets
    from rnnkit import inspection as inspection
    from rnnkit.estimators import (
        EvolinoRegressor,
        EvolinoSequenceRegressor,
        GRUSeriesGenerator,
        LSTMSeriesGenerator,
        RNNSeriesGenerator,
    )

__version__ = version("rnnkit")

__all__ = [
    "Convolution",
    "EchoStateClassifier",
    "EchoStateRegressor",
    "EchoStateSequenceRegressor",
    "EchoStateSequenceTagger",
    "EvolinoRegressor",
    "EvolinoSequenceRegressor",
    "GRUAutoencoder",
    "GRUClassifier",
    "GRUEncoderDecoder",
    "GRUForecaster",
    "GRULanguageModel",
    "GRURegressor",
    "GRUSequenceLabeller",
    "GRUSequenceRegressor",
    "GRUSequenceTagger",
    "GRUSeriesGenerator",
    "LSTMAutoencoder",
    "LSTMClassifier",
    "LSTMEncoderDecoder",
    "LSTMForecaster",
    "LSTMLanguageModel",
    "LSTMRegressor",
    "LSTMSequenceLabeller",
    "LSTMSequenceRegressor",
    "LSTMSequenceTagger",
    "LSTMSeriesGenerator",
    "RNNAutoencoder",
    "RNNClassifier",
    "RNNEncoderDecoder",
    "RNNForecaster",
    "RNNLanguageModel",
    "RNNRegressor",
    "RNNSequenceLabeller",
    "RNNSequenceRegressor",
    "RNNSequenceTagger",
    "RNNSeriesGenerator",
    "RecurrentFeatures",
    "SequencePipeline",
    "Sequences",
    "TransformedTargetSequenceRegressor",
    "__version__",
    "callbacks",
    "datasets",
    "distributed",
    "energy",
    "from_onnx",
    "functional",
    "inspection",
    "load",
    "metrics",
    "persistence",
    "preprocessing",
    "quantize",
    "save",
    "show_config",
    "to_onnx",
    "training",
]


def __getattr__(name: str) -> Any:
    """Import what few need when it is asked for: all wait for an import."""
    if name in ("datasets", "distributed", "energy", "inspection"):
        return import_module(f"rnnkit.{name}")
    if name in __all__:
        return getattr(import_module("rnnkit.estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what is imported later too, for completion."""
    return sorted({*globals(), *__all__})
