"""The estimators: ten tasks, each with three cells, in scikit-learn's manner.

What reads users' data, remembers what it is like and answers in kind may enter; what is computed
lies in `network` and `training`.
"""

from typing import TYPE_CHECKING

from rnnkit.asking import imported_when_asked

if TYPE_CHECKING:
    from rnnkit.estimators.adversarial.model import (
        GRUSeriesGenerator,
        LSTMSeriesGenerator,
        RNNSeriesGenerator,
    )
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
    from rnnkit.estimators.reservoir.evolino import EvolinoRegressor, EvolinoSequenceRegressor
    from rnnkit.estimators.sequence_regressor import (
        GRUSequenceRegressor,
        LSTMSequenceRegressor,
        RNNSequenceRegressor,
    )
    from rnnkit.estimators.stream import Stream
    from rnnkit.estimators.tagger import GRUSequenceTagger, LSTMSequenceTagger, RNNSequenceTagger
    from rnnkit.estimators.transformed_target import TransformedTargetSequenceRegressor

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

# Where a class is, or the classes of a task with every cell: what is asked for is imported.
_HOMES = {
    "Autoencoder": "autoencoder.model",
    "Classifier": "classifier",
    "EchoStateClassifier": "reservoir.echo_state",
    "EchoStateRegressor": "reservoir.echo_state",
    "EchoStateSequenceRegressor": "reservoir.echo_state",
    "EchoStateSequenceTagger": "reservoir.echo_state",
    "EncoderDecoder": "encoder_decoder.model",
    "EvolinoRegressor": "reservoir.evolino",
    "EvolinoSequenceRegressor": "reservoir.evolino",
    "Forecaster": "forecasting",
    "LanguageModel": "language.model",
    "RecurrentFeatures": "features",
    "Regressor": "regressor",
    "SequenceLabeller": "labeller",
    "SequencePipeline": "pipeline",
    "SequenceRegressor": "sequence_regressor",
    "SequenceTagger": "tagger",
    "SeriesGenerator": "adversarial.model",
    "Stream": "stream",
    "TransformedTargetSequenceRegressor": "transformed_target",
}


def _home(name: str) -> str | None:
    """Return the module of a class; None where none is called so."""
    if name not in __all__:
        return None
    task = name.removeprefix("RNN").removeprefix("LSTM").removeprefix("GRU")
    return f"{__name__}.{_HOMES[task]}"


__getattr__, __dir__ = imported_when_asked(__name__, _home)
