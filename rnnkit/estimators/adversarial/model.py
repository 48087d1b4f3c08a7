"""Generators of sequences: what they make, and how real their discriminators find a sequence.

Letters: N sequences, n sequences made, T steps, I features of a step, C numbers of a condition.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import get_backend
from rnnkit.estimators.adversarial.codecs import MadeSteps
from rnnkit.estimators.adversarial.learning import AdversarialLearning
from rnnkit.estimators.applying import bounded_batches, refuse_long_sequences
from rnnkit.estimators.base import RecurrentEstimator, recurrent_estimator
from rnnkit.estimators.devices import answers, downloaded
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import parameters
from rnnkit.estimators.parameters.network import GRUParameters, LSTMParameters, RNNParameters
from rnnkit.estimators.transaction import at_this_moment
from rnnkit.network import Adversarial
from rnnkit.sequences import Sequences
from rnnkit.sequences.ids import refuse_other_ids

__all__ = [
    "GRUSeriesGenerator",
    "LSTMSeriesGenerator",
    "RNNSeriesGenerator",
    "RecurrentSeriesGenerator",
]


def _not_of_a_generator(estimator: Any) -> bool:
    raise AttributeError(
        f"{type(estimator).__name__} has sample and decision_function in place of predict, score, "
        "stream and a look inside"
    )


@parameters
class RecurrentSeriesGenerator(AdversarialLearning):
    """What makes sequences like those of `fit`, whatever the cell."""

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "A generator makes sequences of noise, a discriminator of the same kind tells them "
            "from real ones, and the two learn in turn. `sample` makes sequences in the units and "
            "the form of X; `decision_function` tells how real a sequence is. With y each is made "
            "for a label, or a vector of numbers."
        ),
        notes=(
            "the generator reads noise ``z_t`` that is drawn anew at every step, noise that is "
            "drawn once for a sequence, and its condition, and a step G_t is an affine function "
            "of its state. The discriminator reads steps, each with the condition beside it, and "
            "the realness D of every step, or with `pooling` of a sequence, is an affine function "
            "of its states. With σ the logistic function, in every minibatch the discriminator "
            "takes a step down ``-(log σ(D(x)) + log(1 - σ(D(G)))) / 2`` and then the generator "
            "one down "
            "``-log σ(D(G))``, both in nats (Goodfellow et al. 2014). What is made in training "
            "has the lengths and conditions of the minibatch beside it, so that these tell "
            "nothing. `loss_curve_` is the generator's. Both are log 2 = 0.693 where the "
            "discriminator can tell nothing; neither says how good the sequences are. X is "
            "divided by the standard deviation of each feature inside. Recurrent adversarial "
            "networks are those of Mogren (2016) and Esteban, Hyland & Rätsch (2017). What is "
            "dropped or disturbed in training is so for the discriminator alone; its weights are "
            "``rnn.`` and ``head.``, those of the generator ``generator.``."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> X = [np.sin(np.arange(n) / 3 + rng.uniform(0, 6)) for n in rng.randint(15, 30, size=64)]
>>> model = {name}(16, max_iter=5, random_state=0).fit(X)
>>> made = model.sample(3, length=20, random_state=0)
>>> [x.shape for x in made]
[(20,), (20,), (20,)]
>>> model.decision_function(X[:2]).shape
(2,)
""",
    )

    def sample(
        self, n: Any = None, length: Any = None, y: Any = None, random_state: Any = None
    ) -> Any:
        """Make sequences.

        Parameters
        ----------
        n : int, default=None
            How many. None: as many as there are entries in y or `length`, else one.
        length : int or array-like of shape (n,), default=None
            Steps of all of them, or of each. None: drawn as often as `fit` saw them, with the
            label that is asked for.
        y : label, or array-like of shape (n,) or (n, C), default=None
            What each is to be like, or all of them, as in `fit`. None: labels are drawn as often
            as `fit` saw them; vectors must be given.
        random_state : int, RandomState instance or None, default=None
            Seed of all that is drawn.

        Returns
        -------
        X : ndarray of shape (n, T, I) or (n, T·I), list, object array or Sequences
            As the X of the first `fit` was given; dense ones are zero beyond a sequence's length.
        y : ndarray of shape (n,) or (n, C)
            What each is to be like; only if `fit` had y.

        Raises
        ------
        ValueError, TypeError
            If an argument is not what is allowed.

        Examples
        --------
        >>> import numpy as np
        >>> from rnnkit import GRUSeriesGenerator
        >>> X, y = np.random.RandomState(0).normal(size=(40, 12)), ["up", "down"] * 20
        >>> model = GRUSeriesGenerator(8, max_iter=2, random_state=0).fit(X, y)
        >>> made, labels = model.sample(y=["up", "up", "down"], random_state=0)
        >>> made.shape, labels.tolist()
        ((3, 12), ['up', 'up', 'down'])
        """
        check_is_fitted(self)
        moment = at_this_moment(self)
        codec, network = moment._codec, moment.network_
        assert isinstance(codec, MadeSteps)
        assert isinstance(network, Adversarial)
        y, length = downloaded(y), downloaded(length)
        n = _count(n, length, y, codec)
        rng = check_random_state(random_state)
        if y is None and codec.labels is not None:
            y = codec.draw_labels(n, rng)
        numbers = codec.numbers(y, n)
        lengths = codec.draw_lengths(numbers, rng) if length is None else _lengths(length, n)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        given = self._noise(network, numbers, lengths, rng)
        values = np.empty((int(offsets[-1]), codec.n_outputs), network.dtype)
        backend = get_backend(self.device, fall_back=True)
        with backend.active():
            refuse_long_sequences(network, offsets, backend)
            bound: Any = network.bind(backend, constant=True)
            for batch in bounded_batches(network, offsets, backend):
                steps = bound.make(batch.plan, given[batch.rows])
                values[batch.rows] = backend.download(bound.decision(batch.plan, steps))
        made = codec.restore(values, lengths)
        if codec.conditions is None:
            return made
        if codec.labels is None:
            return made, numbers if np.ndim(y) != 1 or len(numbers) == 1 else numbers[:, 0]
        return made, np.array(codec.labels)[numbers.argmax(axis=1)]

    def _noise(
        self,
        network: Adversarial,
        numbers: np.ndarray,
        lengths: np.ndarray,
        rng: np.random.RandomState,
    ) -> np.ndarray:
        """Draw what the generator reads (ΣT, Z + S + C), in the order of the sequences."""
        meeting, dtype = network.meeting, network.dtype
        kept = rng.standard_normal((len(lengths), meeting.n_sequence_noise))
        steps = rng.standard_normal((int(lengths.sum()), meeting.n_noise))
        of_sequences = np.concatenate([kept, numbers], axis=1)
        return np.concatenate([steps, np.repeat(of_sequences, lengths, axis=0)], axis=1).astype(
            dtype
        )

    @answers
    def decision_function(self, X: Any, y: Any = None, lengths: Any = None) -> np.ndarray:
        """Return how real the discriminator finds sequences.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`; T may differ where X is not two-dimensional.
        y : label, or array-like of shape (N,) or (N, C), default=None
            What is known of each, as in `fit`. None: of labels each counts as much as `fit` saw
            it, by the mean of the odds; vectors must be given.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N,), float64
            The log-odds D that a sequence is real and not made: 0 where nothing can be told. With
            ``pooling=None`` the mean over the steps. Compared with what the generator made at
            the end of training, which may be anything: it ranks sequences, and is no likelihood.

        Raises
        ------
        ValueError, TypeError
            If X or y is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        refuse_other_ids(sequences, y, "y")
        codec = self._codec
        assert isinstance(codec, MadeSteps)
        n = len(sequences)
        if y is not None or codec.labels is None:
            return self._realness(sequences, codec.numbers(y, n))
        odds = [self._realness(sequences, codec.numbers([c] * n, n)) for c in codec.labels]
        weights = codec.label_weights()[:, None]
        return np.asarray(logsumexp(np.array(odds), axis=0, b=weights))

    def _realness(self, sequences: Sequences, numbers: np.ndarray) -> np.ndarray:
        """Return the realness (N,) of sequences with conditions (N, C), float64."""
        network = self.network_
        inputs, offsets = self._reader.inputs(sequences), sequences.offsets
        realness = np.empty(len(sequences))
        backend = get_backend(self.device, fall_back=True)
        with backend.active():
            refuse_long_sequences(network, offsets, backend)
            bound: Any = network.bind(backend, constant=True)
            for batch in bounded_batches(network, offsets, backend):
                known = numbers[batch.sequences] if numbers.shape[1] else None
                told = bound.realness(batch.plan, inputs.take(batch.rows), known)
                realness[batch.sequences] = backend.download(told)[:, 0]
        return realness

    # What an estimator with a target has, and a generator has not.

    predict = available_if(_not_of_a_generator)(RecurrentEstimator.predict)
    score = available_if(_not_of_a_generator)(RecurrentEstimator.score)
    stream = available_if(_not_of_a_generator)(RecurrentEstimator.stream)
    hidden_states = available_if(_not_of_a_generator)(RecurrentEstimator.hidden_states)
    gate_activations = available_if(_not_of_a_generator)(RecurrentEstimator.gate_activations)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "density_estimator"
        tags.target_tags.required = False
        return tags


def _count(n: Any, length: Any, y: Any, codec: MadeSteps) -> int:
    """Return how many sequences are asked for.

    Raises
    ------
    ValueError
        If `n` is no integer of at least 1.
    """
    if n is None:
        if y is not None and codec.conditions is not None:
            is_vector = codec.labels is None
            several = np.ndim(y) > (1 if is_vector and codec.n_conditions > 1 else 0)
            n = len(y) if several else None
        if n is None and np.ndim(length) == 1:
            n = len(length)
        n = 1 if n is None else n
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n must be an integer of at least 1, got {n!r:.80}")
    return int(n)


def _lengths(length: Any, n: int) -> np.ndarray:
    """Return the steps (n,) that sequences get.

    Raises
    ------
    ValueError
        If they are no whole numbers from 1 on, one or n of them.
    """
    if isinstance(length, Integral) and not isinstance(length, bool):
        length = np.full(n, int(length))
    steps = np.asarray(length)
    if steps.shape != (n,) or steps.dtype.kind not in "iu" or np.any(steps < 1):
        raise ValueError(
            f"length must be an integer of at least 1, or {n} of them, one for each sequence, got "
            f"{length!r:.80}"
        )
    return steps.astype(np.intp)


@recurrent_estimator
class RNNSeriesGenerator(RNNParameters, RecurrentSeriesGenerator):
    """Make sequences like those of `fit` by two simple (Elman) recurrent networks in a game."""


@recurrent_estimator
class LSTMSeriesGenerator(LSTMParameters, RecurrentSeriesGenerator):
    """Make sequences like those of `fit` by two long short-term memory networks in a game."""


@recurrent_estimator
class GRUSeriesGenerator(GRUParameters, RecurrentSeriesGenerator):
    """Make sequences like those of `fit` by two networks of gated recurrent units in a game."""
