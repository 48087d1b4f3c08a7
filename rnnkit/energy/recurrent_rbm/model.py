"""RecurrentRBM: what a fitted one answers, and its documentation.

Letters: N sequences, T steps, ΣT steps of all sequences, F visible units, H recurrent units, M
hidden units of the machines.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from rnnkit.backends import get_backend
from rnnkit.energy.recurrent_rbm.estimates import expected_units
from rnnkit.energy.recurrent_rbm.scoring import RecurrentRBMScoring
from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.devices import answers
from rnnkit.estimators.language.writing import checked_count
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.network.boltzmann import Boltzmann
from rnnkit.network.recurrent_boltzmann import RecurrentSampler, host_of
from rnnkit.sequences import Sequences

__all__ = ["RecurrentRBM"]


@recurrent_estimator
class RecurrentRBM(TransformerMixin, RecurrentRBMScoring):
    """Model sequences of binary vectors by a Boltzmann machine at every step (RNN-RBM)."""

    _text: ClassVar[TaskText] = TaskText(
        remarks=(
            "A density of sequences of vectors of 0 and 1, such as which keys of a piano are down: "
            "what is on at a step is on together, and depends on all steps before. `score_samples` "
            "tells how probable sequences are, `sample` draws and continues them, `predict_proba` "
            "says what is expected of the next step, and `transform` gives the features that the "
            "machines found."
        ),
        equations=(
            "``P(v_t, h_t | v_1 .. v_{t-1}) ∝ exp(b_t · v_t + c_t · h_t + h_t · W v_t)``, "
            "``b_t = b + W_uv u_{t-1}``, ``c_t = c + W_uh u_{t-1}``, ``u_t = cell(v_t, u_{t-1})``, "
            "``u_0 = 0``"
        ),
        notes=(
            "v_t are the F features of a step, h_t its M hidden units; W is that of all steps. "
            "``rbm.weight`` is W (M, F), ``head.weight`` W_uv above W_uh (F + M, H), ``head.bias`` "
            "b and c. With W_uv = W_uh = 0 every step is the machine of "
            "`sklearn.neural_network.BernoulliRBM`. The gradient by W, b_t and c_t is estimated by "
            "contrastive divergence of `n_gibbs` steps from the data, and goes back through the "
            "head and the recurrent layers by backpropagation through time. Losses and scores are "
            "in nats per step, summed over the features: of the pseudo-log-likelihood ``Σ_i log "
            "P(v_ti | the other features of the step, the steps before)``, which takes no Z, is "
            "exact and the larger the better, but no bound of the log-likelihood. Training begins "
            "with b the log-odds of each feature. Boulanger-Lewandowski, Bengio & Vincent (2012) "
            'have the one cell "rnn".'
        ),
        source="Boulanger-Lewandowski, Bengio & Vincent (2012)",
        example="""
>>> import numpy as np
>>> from rnnkit.energy import RecurrentRBM
>>> rng = np.random.RandomState(0)
>>> X = [np.eye(6)[(start + np.arange(12)) % 6] for start in rng.randint(6, size=60)]
>>> model = RecurrentRBM(16, n_components=8, learning_rate_init=0.02, random_state=0).fit(X)
>>> bool(model.score(X) > -1.0)  # six features on and off by chance: -2.7
True
>>> model.sample(4, n_sequences=3, random_state=0).shape
(3, 4, 6)
>>> model.predict(X[:1])[0][1:].argmax(axis=1) - X[0][1:].argmax(axis=1)
array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
""",
    )

    # What is expected of a step.

    @answers
    def predict_proba(
        self,
        X: Any,
        lengths: Any = None,
        *,
        method: str = "gibbs",
        n_chains: int = 16,
        n_gibbs: int = 25,
        random_state: Any = 0,
    ) -> Any:
        """Return how probable it is that each feature of a step is 1, from the steps before it.

        Parameters
        ----------
        X, lengths
            As in `transform`.
        method : {"gibbs", "exact"}, default="gibbs"
            "gibbs" samples; "exact" sums over all states of the smaller layer, which has 14 units
            at most.
        n_chains, n_gibbs : int, default=16, 25
            Of "gibbs": chains of every step, which begin at the step before (the first at zeros),
            and how often each samples both layers.
        random_state : int, RandomState instance or None, default=0
            Seed of "gibbs", as in `score_samples`.

        Returns
        -------
        ndarray of shape (N, T, F), list, object array or Sequences
            In the form of X; zero beyond a sequence's length.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or an argument is not what is allowed.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        means = self._expected(sequences, method, n_chains, n_gibbs, random_state)
        return form.restore(means, sequences.offsets)

    @answers
    def predict(self, X: Any, lengths: Any = None, **options: Any) -> Any:
        """Return which features of a step are expected to be 1, from the steps before it.

        Parameters
        ----------
        X, lengths
            As in `transform`.
        **options : dict
            As `predict_proba` takes them.

        Returns
        -------
        ndarray of shape (N, T, F), list, object array or Sequences
            1 where the probability is at least a half, else 0, in the form of X.

        Raises
        ------
        ValueError, TypeError
            As in `predict_proba`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        means = self._expected(sequences, **_gibbs_options(options))
        return form.restore((means >= 0.5).astype(means.dtype), sequences.offsets)

    @answers
    def accuracy(
        self, X: Any, lengths: Any = None, *, threshold: float | None = None, **options: Any
    ) -> float:
        """Return how much of what is 1 is foreseen: true positives per what is or was expected.

        Parameters
        ----------
        X, lengths
            As in `transform`.
        threshold : float, default=None
            From which probability on a feature is foreseen. None: by its probability, that is what
            drawn steps have on average.
        **options : dict
            As `predict_proba` takes them.

        Returns
        -------
        float
            ``Σ TP / Σ (TP + FP + FN)`` over all steps and features (Bay, Ehmann & Downie 2009),
            between 0 and 1.

        Raises
        ------
        ValueError, TypeError
            As in `predict_proba`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        means = self._expected(sequences, **_gibbs_options(options)).astype(np.float64)
        if threshold is not None:
            means = (means >= threshold).astype(np.float64)
        v = np.asarray(sequences.values, np.float64)
        found = float((v * means).sum())
        either = float(v.sum() + means.sum()) - found
        return found / either if either else 1.0

    def _expected(
        self,
        sequences: Sequences,
        method: str = "gibbs",
        n_chains: int = 16,
        n_gibbs: int = 25,
        random_state: Any = 0,
    ) -> np.ndarray:
        """Return the probabilities (ΣT, F)."""
        if method == "exact":
            self._refuse_many_states("method='exact'")
            operation: Any = lambda bound, plan, x: bound.exact_means(plan, x)
            return self._apply(sequences, operation, per_step=True)
        if method != "gibbs":
            raise ValueError(f"method must be 'gibbs' or 'exact', got {method!r}")
        n_chains = checked_count(n_chains, "n_chains", 1)
        n_gibbs = checked_count(n_gibbs, "n_gibbs", 1)

        def means(
            machine: Boltzmann, v: np.ndarray, b: np.ndarray, c: np.ndarray, noise: Any
        ) -> np.ndarray:
            before = np.concatenate([np.zeros_like(v[:1]), v[:-1]])
            return expected_units(machine, b, c, before, n_chains, n_gibbs, noise)

        return self._sampled(sequences, means, random_state)

    def sample(
        self,
        n_steps: int,
        n_sequences: int = 1,
        prompt: Any = None,
        *,
        n_gibbs: int = 25,
        random_state: Any = None,
    ) -> np.ndarray:
        """Draw sequences, or continuations of one.

        Parameters
        ----------
        n_steps : int
            T, steps of each.
        n_sequences : int, default=1
            N.
        prompt : array-like of shape (T', F), default=None
            Steps of 0 and 1 that all of them continue; it is not among what is returned.
        n_gibbs : int, default=25
            How often both layers are sampled for a step, from the step before on.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        ndarray of shape (N, T, F)
            0 and 1, in the dtype that the network computes in.

        Raises
        ------
        ValueError, TypeError
            If an argument is not what is allowed.
        """
        check_is_fitted(self)
        n_steps = checked_count(n_steps, "n_steps", 1)
        n_sequences = checked_count(n_sequences, "n_sequences", 1)
        n_gibbs = checked_count(n_gibbs, "n_gibbs", 1)
        network, F = self.network_, self.network_.output.n_visible
        known = np.empty((0, F), network.dtype)
        if prompt is not None:
            known = self._read_prompt(prompt)
        noise = np.random.Generator(
            np.random.Philox(int(check_random_state(random_state).randint(2**31 - 1)))
        )
        backend = host_of(get_backend(self.device, fall_back=True))
        drawn = np.empty((n_sequences, n_steps, F), network.dtype)
        with backend.active():
            sampler = RecurrentSampler(network, backend, n_sequences)
            for step in known:
                sampler.read(np.tile(step, (n_sequences, 1)))
            for t in range(n_steps):
                drawn[:, t] = sampler.draw(n_gibbs, noise)
        return drawn

    def _read_prompt(self, prompt: Any) -> np.ndarray:
        """Return the steps (T', F) of a prompt."""
        output = self.network_.output
        steps = np.asarray(prompt)
        if steps.ndim != 2 or steps.shape[1] != output.n_visible or steps.dtype.kind not in "biuf":
            raise ValueError(
                f"prompt must be an array of numbers of shape (T, {output.n_visible}), got "
                f"{steps.dtype} of shape {steps.shape}"
            )
        output.check(steps, name="prompt")
        return np.ascontiguousarray(steps, self.network_.dtype)

    # Features.

    @answers
    def transform(self, X: Any, lengths: Any = None) -> Any:
        """Return how probable it is that each hidden unit of a step's machine is on.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`; T may differ where X is not two-dimensional.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, T, M) or (N, T·M), list, object array or Sequences
            ``P(h_t = 1 | v_t, the steps before)`` in the form of X; zero beyond a sequence's
            length. The states u_t are those of `hidden_states`.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        operation: Any = lambda bound, plan, x: bound.hidden_means(plan, x)
        means = self._apply(sequences, operation, per_step=True)
        return form.restore_data(means, sequences.offsets)

    def fit_transform(self, X: Any, y: Any = None, lengths: Any = None, **fit_params: Any) -> Any:
        """Train the network and return what `transform` does.

        Parameters
        ----------
        X, y, lengths
            As in `fit`.
        **fit_params : dict
            As `fit` takes them.

        Returns
        -------
        ndarray of shape (N, T, M) or (N, T·M), list, object array or Sequences
        """
        fitted: RecurrentRBM = self.fit(X, y, lengths=lengths, **fit_params)
        return fitted.transform(X, lengths)

    def stream(self, n_sequences: int | None = None) -> Any:
        """Raise ValueError: what is expected of a step is drawn, and `sample` does that."""
        raise ValueError(
            f"{type(self).__name__} has no stream: what it expects of a step is drawn; use sample "
            "with a prompt"
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "density_estimator"
        assert tags.transformer_tags is not None
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _gibbs_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return options of `predict_proba`, if they are some."""
    unknown = options.keys() - {"method", "n_chains", "n_gibbs", "random_state"}
    if unknown:
        raise TypeError(
            f"options must be method, n_chains, n_gibbs or random_state, got {min(unknown)!r}"
        )
    return options
