"""Deep Boltzmann machines: binary units in layers that are told from below and from above.

Letters: n rows, F visible units, H units of a hidden layer, L hidden layers.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from rnnkit.energy.layered import LayeredUnits
from rnnkit.energy.learning import DeepBoltzmannLearning
from rnnkit.energy.rows import check_counts
from rnnkit.estimators.transaction import at_this_moment
from rnnkit.training import SCHEDULES, Schedule

__all__ = ["DeepBoltzmannMachine"]


class DeepBoltzmannMachine(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DeepBoltzmannLearning
):
    """Learn the distribution of binary rows with layers of hidden binary units.

    Units of neighbouring layers are joined, in both directions, and units of one layer are not.
    With one hidden layer it is the restricted machine of `sklearn.neural_network.BernoulliRBM`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100, 100)
        Units of the hidden layers, from below.
    pretrain_iter : int, default=10
        Passes over X in which each layer is trained alone, on top of those below, as a
        `BernoulliRBM` with copies of the units that are told from two sides [1]_; 0: none.
    pretrain_learning_rate : float, default=0.05
        The rate of these.
    max_iter : int, default=50
        Passes over X in which all layers are trained together.
    learning_rate_init : float, default=0.02
        The first rate of these.
    learning_rate : {"constant", "invscaling", "linear", "cosine"} or Schedule, default="linear"
        How it falls, which it has to for samples that are kept to follow the machine.
    batch_size : int, default=20
        Rows of a minibatch.
    n_particles : int, default=100
        Samples of the machine, kept from step to step, which stand for what it believes.
    gibbs_steps : int, default=1
        How often they are drawn anew at each step.
    mean_field_steps : int, default=10
        How often the means of all hidden layers are set, one layer after another, for given
        visible units. One hidden layer needs none.
    alpha : float, default=0.0002
        Decay of the weights.
    binarize : float, default=None
        Values of X above are 1, others 0. None: values are probabilities that a unit is 1, and
        should lie in [0, 1], as `MinMaxScaler` makes them.
    transform_layers : {"last", "all"}, default="last"
        Whether `transform` gives the means of the last hidden layer or of all, side by side.
    random_state : int, RandomState instance or None, default=None
        First weights, minibatches and samples.

    Attributes
    ----------
    coefs_ : list of L ndarray of shape (H below, H)
        The weights between a layer and the next.
    intercepts_ : list of L + 1 ndarray of shape (H,)
        The biases, the visible units' first.
    particles_ : list of L + 1 ndarray of shape (n_particles, H)
        The samples of the machine.
    random_state_ : RandomState
        From which `partial_fit` goes on to draw.
    reconstruction_errors_ : list of float
        For each pass over X together: mean square of the difference between X and the means of
        visible units given those of the hidden ones. A sign of life, not what is minimized.
    n_iter_ : int
        Passes over X in which all layers were trained together.
    n_features_in_ : int
        F.
    feature_names_in_ : ndarray of shape (F,)
        The columns' names, where X is a frame.

    Notes
    -----
    The probability of a state is ``exp(-E) / Z`` with

    ``E(v, h) = -Σ_l h_(l-1)ᵀ W_l h_l - Σ_l b_lᵀ h_l``, ``h_0 = v``.

    Training goes up the gradient of the mean log-likelihood,
    ``∂/∂W_l = E_data[h_(l-1) h_lᵀ] - E_machine[h_(l-1) h_lᵀ]``. Of the data the hidden units are
    taken as independent, with the means that mean field finds, which raises a bound of the
    likelihood; of the machine they are those of particles that are never begun anew [2]_.

    `score_samples` is that bound, where Z is counted out if every other layer together has at
    most 12 units and estimated by annealed importance sampling if not. The estimate of Z is
    rather too small than too large, and so the bound rather too high.

    References
    ----------
    .. [1] R. Salakhutdinov and G. Hinton, "Deep Boltzmann machines", AISTATS 2009.
    .. [2] T. Tieleman, "Training restricted Boltzmann machines using approximations to the
       likelihood gradient", ICML 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.energy import DeepBoltzmannMachine
    >>> X = np.tile([[0, 0, 1, 1], [1, 1, 0, 0]], (50, 1))
    >>> machine = DeepBoltzmannMachine(
    ...     (3, 2), max_iter=300, learning_rate_init=0.5, random_state=0
    ... ).fit(X)
    >>> machine.transform(X).shape
    (100, 2)
    >>> bool(machine.score([[0, 0, 1, 1]]) > machine.score([[0, 1, 0, 1]]))
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "pretrain_iter": [Interval(Integral, 0, None, closed="left")],
        "pretrain_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "learning_rate": [StrOptions(set(SCHEDULES) - {"adaptive"}), Schedule],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_particles": [Interval(Integral, 1, None, closed="left")],
        "gibbs_steps": [Interval(Integral, 1, None, closed="left")],
        "mean_field_steps": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "binarize": [Interval(Real, None, None, closed="neither"), None],
        "transform_layers": [StrOptions({"last", "all"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100, 100),
        *,
        pretrain_iter: int = 10,
        pretrain_learning_rate: float = 0.05,
        max_iter: int = 50,
        learning_rate_init: float = 0.02,
        learning_rate: Any = "linear",
        batch_size: int = 20,
        n_particles: int = 100,
        gibbs_steps: int = 1,
        mean_field_steps: int = 10,
        alpha: float = 0.0002,
        binarize: float | None = None,
        transform_layers: str = "last",
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.pretrain_iter = pretrain_iter
        self.pretrain_learning_rate = pretrain_learning_rate
        self.max_iter = max_iter
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_particles = n_particles
        self.gibbs_steps = gibbs_steps
        self.mean_field_steps = mean_field_steps
        self.alpha = alpha
        self.binarize = binarize
        self.transform_layers = transform_layers
        self.random_state = random_state

    def transform(self, X: Any) -> np.ndarray:
        """Return the means of hidden units, by mean field.

        Parameters
        ----------
        X : array-like of shape (n, F)

        Returns
        -------
        ndarray of shape (n, H)
            Of the last layer, or of all side by side: see `transform_layers`.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        now, rows = self._read_now(X)
        hidden = now._units().mean_field(rows, now.mean_field_steps)[1:]
        means: np.ndarray = hidden[-1] if now.transform_layers == "last" else np.hstack(hidden)
        return means

    def score_samples(self, X: Any) -> np.ndarray:
        """Return a bound from below of the log-likelihood of rows, less an estimate of log Z.

        Parameters
        ----------
        X : array-like of shape (n, F)

        Returns
        -------
        ndarray of shape (n,)
            In nats. With one hidden layer it is no bound but the log-likelihood itself, as exact
            as log Z is: see `log_partition`.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        now, rows = self._read_now(X)
        units = now._units()
        bounds = units.bound(units.mean_field(rows, now.mean_field_steps))
        return (bounds - now.log_partition()).astype(rows.dtype)  # type: ignore[no-any-return]

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of `score_samples`.

        Parameters
        ----------
        X : array-like of shape (n, F)
        y : ignored

        Returns
        -------
        float

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        return float(self.score_samples(X).mean())

    def log_partition(self, n_chains: int = 64, n_steps: int = 500) -> float:
        """Return log Z, the logarithm of the sum of ``exp(-E)`` over all states.

        Parameters
        ----------
        n_chains : int, default=64
            Chains of the estimate, where it is none that can be counted out.
        n_steps : int, default=500
            Steps of each. More of both make it better.

        Returns
        -------
        float
            Of the same machine always the same.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If there is not at least one chain and step.
        """
        check_is_fitted(self, "coefs_")
        check_counts(n_chains=n_chains, n_steps=n_steps)
        exact = [
            [a.astype(np.float64) for a in arrays] for arrays in (self.coefs_, self.intercepts_)
        ]
        return LayeredUnits(*exact).log_partition(
            int(n_chains), int(n_steps), np.random.RandomState(0)
        )

    def sample(
        self, n_samples: int = 1, *, n_steps: int = 100, random_state: Any = None
    ) -> np.ndarray:
        """Draw rows from the machine: particles, chosen at random, that go on for some steps.

        Parameters
        ----------
        n_samples : int, default=1
        n_steps : int, default=100
            How often all layers are drawn anew.
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n_samples, F)
            0 and 1.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If a number is below 1.
        """
        check_is_fitted(self, "coefs_")
        check_counts(n_samples=n_samples, n_steps=n_steps)
        random = check_random_state(random_state)
        chosen = random.randint(len(self.particles_[0]), size=n_samples)
        states = [layer[chosen] for layer in self.particles_]
        units = self._units()
        for _ in range(n_steps):
            units.sample(states, 1, random)
            units.sample(states, 0, random)
        drawn: np.ndarray = states[0]
        return drawn

    def gibbs(self, X: Any, *, random_state: Any = None) -> np.ndarray:
        """Draw hidden units given rows, by their means of mean field, and the rows given those.

        Parameters
        ----------
        X : array-like of shape (n, F)
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n, F)
            0 and 1.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        now, rows = self._read_now(X)
        units, random = now._units(), check_random_state(random_state)
        states = units.mean_field(rows, now.mean_field_steps)
        first = states[1]
        states[1] = (random.uniform(size=first.shape) < first).astype(first.dtype)
        mean = units.mean_of(states, 0)
        drawn: np.ndarray = (random.uniform(size=mean.shape) < mean).astype(mean.dtype)
        return drawn

    @property
    def _n_features_out(self) -> int:
        sizes = [len(bias) for bias in self.intercepts_[1:]]
        return sizes[-1] if self.transform_layers == "last" else sum(sizes)

    def _read_now(self, X: Any) -> tuple[Any, np.ndarray]:
        """Return the machine as it is at this moment, and X as rows of units."""
        check_is_fitted(self, "coefs_")
        self._validate_params()
        now = at_this_moment(self)
        return now, now._read_units(X, reset=False)
