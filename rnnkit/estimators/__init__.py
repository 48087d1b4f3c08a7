"""The estimators: ten tasks, each with three cells, in scikit-learn's manner.

What reads users' data, remembers what it is like and answers in kind may enter; what is computed
lies in `network` and `training`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rnnkit.estimators.autoencoder.model import (
    GRUAutoencoder,
    LSTMAutoencoder,
    RNNAutoencoder,
)
from rnnkit.estimators.classifier import GRUClassifier, LSTMClassifier, RNNClassifier
from rnnkit.estimators.encoder_decoder.model import (
    GRUEncoderDecoder,
    LSTMEncoderDecoder,
    RNNEncoderDecoder,
)
from rnnkit.estimators.features import RecurrentFeatures
from rnnkit.estimators.forecasting import GRUForecaster, LSTMForecaster, RNNForecaster
from rnnkit.estimators.labeller import (
    GRUSequenceLabeller,
    LSTMSequenceLabeller,
    RNNSequenceLabeller,
)
from rnnkit.estimators.language.model import (
    GRULanguageModel,
    LSTMLanguageModel,
    RNNLanguageModel,
)
from rnnkit.estimators.pipeline import SequencePipeline
from rnnkit.estimators.regressor import GRURegressor, LSTMRegressor, RNNRegressor
from rnnkit.estimators.reservoir.echo_state import (
    EchoStateClassifier,
    EchoStateRegressor,
    EchoStateSequenceRegressor,
    EchoStateSequenceTagger,
)
from rnnkit.estimators.sequence_regressor import (
    GRUSequenceRegressor,
    LSTMSequenceRegressor,
    RNNSequenceRegressor,
)
from rnnkit.estimators.stream import Stream
from rnnkit.estimators.tagger import GRUSequenceTagger, LSTMSequenceTagger, RNNSequenceTagger
from rnnkit.estimators.transformed_target import TransformedTargetSequenceRegressor

if TYPE_CHECKING:
    from rnnkit.estimators.adversarial.model import (
        GRUSeriesGenerator,
        LSTMSeriesGenerator,
        RNNSeriesGenerator,
    )
    from rnnkit.estimators.reservoir.evolino import EvolinoRegressor, EvolinoSequenceRegressor

__all__ = [
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
    "Stream",
    "TransformedTargetSequenceRegressor",
]

# Names that few need, by the module that is imported when one is asked for.
_LATER = {
    **dict.fromkeys(
        ("GRUSeriesGenerator", "LSTMSeriesGenerator", "RNNSeriesGenerator"),
        "rnnkit.estimators.adversarial.model",
    ),
    **dict.fromkeys(
        ("EvolinoRegressor", "EvolinoSequenceRegressor"), "rnnkit.estimators.reservoir.evolino"
    ),
}


def __getattr__(name: str) -> Any:
    """Import a class of `_LATER` when it is asked for: all wait for an import."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
