"""Autoencoders: codes, what becomes of codes again, and how unusual a sequence is.

Letters: N sequences, T steps, ΣT steps of all sequences, I features of a step, C numbers of a code.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import get_backend
from rnnkit.estimators.applying import bounded_batches, refuse_long_sequences
from rnnkit.estimators.autoencoder.codecs import OwnSteps
from rnnkit.estimators.autoencoder.learning import AutoencoderLearning, mean_of_steps
from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.devices import answers
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import parameters
from rnnkit.estimators.parameters.network import GRUParameters, LSTMParameters, RNNParameters
from rnnkit.network import Autoencoder
from rnnkit.sequences import Sequences
from rnnkit.sequences.numbers import refuse_complex

__all__ = [
    "GRUAutoencoder",
    "LSTMAutoencoder",
    "RNNAutoencoder",
    "RecurrentAutoencoder",
]


@parameters
class RecurrentAutoencoder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, AutoencoderLearning
):
    """What makes vectors of sequences and tells unusual ones, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "A transformer: `transform` gives every sequence, however long, a code of `code_size` "
            "numbers, and `inverse_transform` sequences of codes. And an outlier detector: what "
            "the network gives back badly is unlike what it was trained on. X is its own target; "
            "no y is looked at. `score` is R² of what is given back."
        ),
        notes=(
            "an encoder of such layers reads X, and the code is an affine function of its pooled "
            "states. A decoder of as many layers reads, at every step, the code and how far the "
            "sequence has come, from -1 to 1, and the step is an affine function of its state. It "
            "reads nothing of what it gave back before, so that a code alone decides what becomes "
            "of it, and all steps are computed in one call. How long a sequence was is not in its "
            "code: `inverse_transform` is told. The loss is half the squared error, "
            "averaged over features and steps, of features divided by their standard deviations "
            "in the training data; an error of 1 is about that of the mean of each feature. With "
            "`input_noise` or `input_dropout` the network reads disturbed steps and has to give "
            "back the undisturbed (a denoising autoencoder, Vincent et al. 2008). Srivastava, "
            "Mansimov & Salakhutdinov (2015) and Malhotra et al. (2016) made codes of sequences, "
            "and told anomalies, in this way."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> X = [np.sin(np.arange(n) / 3 + rng.uniform(0, 6)) for n in rng.randint(15, 30, size=100)]
>>> model = {name}(32, code_size=4, max_iter=60, random_state=0).fit(X)
>>> model.transform(X).shape
(100, 4)
>>> back = model.inverse_transform(model.transform(X[:2]), lengths=[len(x) for x in X[:2]])
>>> [x.shape for x in back] == [x.shape for x in X[:2]]
True
>>> model.predict([rng.normal(size=20)])
array([-1])
""",
    )

    # A transformer.

    @answers
    def transform(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Return the code of every sequence.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`; T may differ where X is not two-dimensional.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, C)
            In the dtype that the network computes in.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        return self._apply(
            sequences, lambda bound, plan, x: _encode(bound, plan, x), per_step=False
        )

    def fit_transform(
        self, X: Any, y: Any = None, lengths: Any = None, **fit_params: Any
    ) -> np.ndarray:
        """Train the network and return the code of every sequence.

        Parameters
        ----------
        X, y, lengths
            As in `fit`.
        **fit_params : dict
            As `fit` takes them.

        Returns
        -------
        ndarray of shape (N, C)
        """
        fitted: RecurrentAutoencoder = self.fit(X, y, lengths=lengths, **fit_params)
        return fitted.transform(X, lengths)

    @answers
    def inverse_transform(self, X: Any, lengths: Any = None) -> Any:
        """Return the sequences that codes stand for.

        Parameters
        ----------
        X : array-like of shape (N, C)
            Codes, as `transform` gives them.
        lengths : int or array-like of shape (N,), default=None
            How many steps each sequence gets, which its code does not tell; one number is for
            all of them. None: as many as in the first `fit`, where all sequences were of one
            length.

        Returns
        -------
        ndarray of shape (N, T, I) or (N, T·I), list, object array or Sequences
            As the X of the first `fit` was given; dense ones are zero beyond a sequence's length.

        Raises
        ------
        ValueError, TypeError
            If X holds no codes, or `lengths` is missing or not what is allowed.
        """
        check_is_fitted(self)
        codec, network = self._codec, self.network_
        assert isinstance(codec, OwnSteps)
        assert isinstance(network, Autoencoder)
        refuse_complex(X, "X")
        codes = check_array(X, dtype=network.dtype, input_name="X", estimator=self)
        if codes.shape[1] != network.code_size:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but {type(self).__name__} is expecting codes of "
                f"{network.code_size} numbers"
            )
        steps = _lengths_of(lengths, len(codes), codec.n_steps)
        offsets = np.concatenate([[0], np.cumsum(steps)])
        values = np.empty((int(offsets[-1]), codec.n_outputs), network.dtype)
        backend = get_backend(self.device, fall_back=True)
        with backend.active():
            refuse_long_sequences(network, offsets, backend)
            bound: Any = network.bind(backend, constant=True)
            for batch in bounded_batches(network, offsets):
                scores = bound.decode(batch.plan, codes[batch.sequences])
                values[batch.rows] = backend.download(bound.decision(batch.plan, scores))
        return codec.restore(values, steps)

    @property
    def _n_features_out(self) -> int:
        network: Any = self.network_
        return int(network.code_size)

    # An outlier detector.

    @answers
    def reconstruction_error(self, X: Any, lengths: Any = None, *, per_step: bool = False) -> Any:
        """Return how badly sequences are given back.

        Parameters
        ----------
        X, lengths
            As in `transform`.
        per_step : bool, default=False
            Whether every step has an error, else the mean of a sequence's steps.

        Returns
        -------
        ndarray of shape (N,) or (N, T), or object array of N arrays (T_i,); float64
            The mean over the features of ((x̂ - x) / σ)², with σ the standard deviation of a
            feature in the training data. With `per_step` (N, T) for a dense X, zero beyond a
            sequence's length; otherwise arrays (T_i,).

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        errors = self._errors(self.network_, self._reader, sequences)
        if per_step:
            return form.restore(errors, sequences.offsets)
        return mean_of_steps(errors, sequences)

    @answers
    def score_samples(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Return how usual sequences are: the negative `reconstruction_error`.

        Parameters
        ----------
        X, lengths
            As in `transform`.

        Returns
        -------
        ndarray of shape (N,), float64

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        return self._usualness(sequences)

    @answers
    def decision_function(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Return how usual sequences are, below 0 for outliers: `score_samples` - `offset_`.

        Parameters
        ----------
        X, lengths
            As in `transform`.

        Returns
        -------
        ndarray of shape (N,), float64

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        return self._usualness(sequences) - self.offset_

    @answers
    def predict(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Tell outliers from usual sequences.

        Parameters
        ----------
        X, lengths
            As in `transform`.

        Returns
        -------
        ndarray of shape (N,), int
            -1 for outliers, 1 for the others.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        return np.where(self._usualness(sequences) - self.offset_ < 0, -1, 1)

    def _usualness(self, sequences: Sequences) -> np.ndarray:
        return -mean_of_steps(self._errors(self.network_, self._reader, sequences), sequences)

    def fit_predict(
        self, X: Any, y: Any = None, lengths: Any = None, **fit_params: Any
    ) -> np.ndarray:
        """Train the network and tell outliers among the sequences it was trained on.

        Parameters
        ----------
        X, y, lengths
            As in `fit`.
        **fit_params : dict
            As `fit` takes them.

        Returns
        -------
        ndarray of shape (N,), int
        """
        fitted: RecurrentAutoencoder = self.fit(X, y, lengths=lengths, **fit_params)
        return fitted.predict(X, lengths)

    @answers
    def score(self, X: Any, y: Any = None, sample_weight: Any = None, lengths: Any = None) -> float:
        """Return R² of what is given back, over all steps, its mean over the features.

        Parameters
        ----------
        X, y, sample_weight, lengths
            As in `fit`.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit`.
        """
        return super().score(X, None, sample_weight, lengths)

    def stream(self, n_sequences: int | None = None) -> Any:
        """Raise ValueError: a sequence has no code before all of it was read."""
        raise ValueError(
            f"{type(self).__name__} has no stream: it gives back steps once it has read the whole "
            "sequence"
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _encode(bound: Any, plan: Any, x: Any) -> Any:
    return bound.encode(plan, x)


def _lengths_of(lengths: Any, n: int, n_steps: int | None) -> np.ndarray:
    """Return the steps (N,) that sequences get.

    Raises
    ------
    ValueError
        If they are not known, or no whole numbers from 1 on, one or N of them.
    """
    if lengths is None:
        if n_steps is None:
            raise ValueError(
                "lengths must be given: the sequences of fit were of different lengths, and a code "
                "does not tell how long its sequence was"
            )
        lengths = n_steps
    if isinstance(lengths, Integral) and not isinstance(lengths, bool):
        lengths = np.full(n, int(lengths))
    steps = np.asarray(lengths)
    if steps.shape != (n,) or steps.dtype.kind not in "iu" or np.any(steps < 1):
        raise ValueError(
            f"lengths must be an integer of at least 1, or {n} of them, one for each code, got "
            f"{lengths!r:.80}"
        )
    return steps.astype(np.intp)


@recurrent_estimator
class RNNAutoencoder(RNNParameters, RecurrentAutoencoder):
    """Make a code of every sequence, and tell outliers, with simple (Elman) recurrent networks."""


@recurrent_estimator
class LSTMAutoencoder(LSTMParameters, RecurrentAutoencoder):
    """Make a code of every sequence, and tell outliers, with long short-term memory networks."""


@recurrent_estimator
class GRUAutoencoder(GRUParameters, RecurrentAutoencoder):
    """Make a code of every sequence, and tell outliers, with networks of gated recurrent units."""
