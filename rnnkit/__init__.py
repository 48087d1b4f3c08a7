"""LSTM, GRU and Elman networks as scikit-learn estimators on a compiled core."""

from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import rnnkit._core  # noqa: F401  # refuses a folder in which nothing is compiled
from rnnkit.asking import imported_when_asked

if TYPE_CHECKING:
    from rnnkit import (
        callbacks,
        datasets,
        distributed,
        energy,
        functional,
        inspection,
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
        EvolinoRegressor,
        EvolinoSequenceRegressor,
        GRUAutoencoder,
        GRUClassifier,
        GRUEncoderDecoder,
        GRUForecaster,
        GRULanguageModel,
        GRURegressor,
        GRUSequenceLabeller,
        GRUSequenceRegressor,
        GRUSequenceTagger,
        GRUSeriesGenerator,
        LSTMAutoencoder,
        LSTMClassifier,
        LSTMEncoderDecoder,
        LSTMForecaster,
        LSTMLanguageModel,
        LSTMRegressor,
        LSTMSequenceLabeller,
        LSTMSequenceRegressor,
        LSTMSequenceTagger,
        LSTMSeriesGenerator,
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
        RNNSeriesGenerator,
        SequencePipeline,
        TransformedTargetSequenceRegressor,
    )
    from rnnkit.estimators.quantizing import quantize
    from rnnkit.persistence import from_onnx, load, save, to_onnx
    from rnnkit.sequences import Sequences

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


_HOMES = {
    "Convolution": "convolutions",
    "Sequences": "sequences",
    "from_onnx": "persistence",
    "load": "persistence",
    "quantize": "estimators.quantizing",
    "save": "persistence",
    "show_config": "configuration",
    "to_onnx": "persistence",
}


def _home(name: str) -> str | None:
    """Return the module that has a name or is meant by it: a fit waits for what it uses alone."""
    if name.startswith("_"):
        return None
    if name in _HOMES:
        return f"{__name__}.{_HOMES[name]}"
    if find_spec(f"{__name__}.{name}") is not None:
        return f"{__name__}.{name}"
    return f"{__name__}.estimators" if name in __all__ else None


__getattr__, __dir__ = imported_when_asked(__name__, _home)
