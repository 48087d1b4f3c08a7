"""Deep belief networks: layers learnt from rows without labels, then tuned by the rows with one.

Letters: n rows, F features, H units of a hidden layer, L hidden layers, K classes.
"""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d

from rnnkit.energy.greedy import pretrain_directed
from rnnkit.energy.rows import RowEstimator, read_sizes
from rnnkit.estimators.labels import refuse_dates, refuse_missing, without_objects
from rnnkit.estimators.targets import refuse_mixed_types, require_targets
from rnnkit.estimators.transaction import at_this_moment, learning
from rnnkit.preprocessing.watching import watched
from rnnkit.sequences.numbers import label_array

__all__ = ["DeepBeliefNetwork"]


class DeepBeliefNetwork(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, RowEstimator
):
    """Classify rows with layers that were first learnt without labels.

    Each layer is first trained as a `BernoulliRBM` on what the one below makes of all rows, those
    without a label as well [1]_. Then these weights begin a `MLPClassifier` of logistic units,
    which the rows with a label tune.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100, 100)
        Units of the hidden layers, from below.
    pretrain_iter : int, default=100
        Passes over X in which each layer is trained alone; 0: none, and the network begins as
        `MLPClassifier` does.
    pretrain_learning_rate : float, default=0.1
        The rate of these.
    pretrain_batch_size : int, default=10
        Rows of their minibatches.
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        What tunes the network, as in `MLPClassifier`; so are the parameters below.
    alpha : float, default=0.0001
        L2 penalty of the weights.
    batch_size : int or "auto", default="auto"
        Rows of a minibatch; "auto": 200, or all if they are fewer.
    learning_rate_init : float, default=0.001
        The first rate; not of "lbfgs".
    max_iter : int, default=200
        Most passes over the labelled rows.
    tol : float, default=1e-4
        A loss, or score, that improves by less has not improved.
    early_stopping : bool, default=False
        Whether a part of the labelled rows is held out, whose score ends the tuning. Not for
        "lbfgs".
    validation_fraction : float, default=0.1
        That part.
    n_iter_no_change : int, default=10
        Passes without improvement that end the tuning.
    binarize : float, default=None
        Values of X above are 1, others 0. None: values are probabilities that a unit is 1, and
        should lie in [0, 1], as `MinMaxScaler` makes them.
    random_state : int, RandomState instance or None, default=None
        First weights, samples and minibatches.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels.
    coefs_ : list of L + 1 ndarray of shape (H below, H)
        The weights; the last are those of the K outputs, of one for two classes.
    intercepts_ : list of L + 1 ndarray of shape (H,)
        The biases of the units above them.
    visible_intercepts_ : list of L ndarray of shape (H below,)
        The biases of the units below, of each layer's own machine; without pretraining, empty.
    loss_curve_ : list of float
        The loss of each pass of the tuning; of "lbfgs" the last alone.
    n_iter_ : int
        Passes of the tuning.
    n_labelled_ : int
        Rows that had a label.
    n_features_in_ : int
        F.
    feature_names_in_ : ndarray of shape (F,)
        The columns' names, where X is a frame.

    Notes
    -----
    Upwards ``h_l = σ(h_(l-1) W_l + b_l)``, ``h_0 = x``, and the classes' probabilities are the
    softmax of ``h_L W_(L+1) + b_(L+1)`` (of two classes, σ of one number). Training the machine of
    a layer on samples of the one below raises a bound of the likelihood of the rows [1]_.

    References
    ----------
    .. [1] G. E. Hinton, S. Osindero and Y.-W. Teh, "A fast learning algorithm for deep belief
       nets", Neural Computation 18, 2006.

    Examples
    --------
    Of rows without a label y is -1:

    >>> import numpy as np
    >>> from rnnkit.energy import DeepBeliefNetwork
    >>> X = np.tile([[0, 0, 1, 1], [1, 1, 0, 0]], (50, 1))
    >>> y = np.full(100, -1)
    >>> y[:4] = [0, 1, 0, 1]
    >>> network = DeepBeliefNetwork((8, 4), solver="lbfgs", random_state=0).fit(X, y)
    >>> network.predict([[0, 0, 1, 1], [1, 1, 0, 0]])
    array([0, 1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "pretrain_iter": [Interval(Integral, 0, None, closed="left")],
        "pretrain_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "pretrain_batch_size": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions({"adam", "sgd", "lbfgs"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "binarize": [Interval(Real, None, None, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100, 100),
        *,
        pretrain_iter: int = 100,
        pretrain_learning_rate: float = 0.1,
        pretrain_batch_size: int = 10,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        tol: float = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        binarize: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.pretrain_iter = pretrain_iter
        self.pretrain_learning_rate = pretrain_learning_rate
        self.pretrain_batch_size = pretrain_batch_size
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.binarize = binarize
        self.random_state = random_state

    @watched
    def fit(self, X: Any, y: Any) -> DeepBeliefNetwork:
        """Learn layers from all rows, then tune them by those with a label.

        Parameters
        ----------
        X : array-like of shape (n, F)
            Dense; float32 stays so, other dtypes become float64.
        y : array-like of shape (n,)
            Labels; -1 marks rows that have none. Where y has one other value alone, such as +1,
            -1 is a class.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a parameter, X or y is not accepted, or there are no two classes; nothing has
            changed then.
        """
        self._validate_params()
        sizes = read_sizes(self.hidden_layer_sizes)
        if self.early_stopping and self.solver == "lbfgs":
            raise ValueError("early_stopping must be False with solver='lbfgs', got True")
        with learning(self) as draft:
            rows = draft._read_units(X, reset=True)
            labels, is_labelled = _read_labels(y, rows, self)
            random = check_random_state(draft.random_state)
            weights: list[np.ndarray] = []
            biases: list[np.ndarray] = []
            draft.visible_intercepts_ = []
            if draft.pretrain_iter:
                weights, biases, draft.visible_intercepts_ = pretrain_directed(
                    rows,
                    sizes,
                    learning_rate=draft.pretrain_learning_rate,
                    batch_size=draft.pretrain_batch_size,
                    n_iter=draft.pretrain_iter,
                    random=random,
                )
            network = draft._tuned(rows[is_labelled], labels, sizes, weights, biases, random)
            draft.classes_ = network.classes_
            draft.coefs_, draft.intercepts_ = list(network.coefs_), list(network.intercepts_)
            curve = network.loss_curve_ if draft.solver != "lbfgs" else [network.loss_]
            draft.loss_curve_ = [float(loss) for loss in curve]
            draft.n_iter_, draft.n_labelled_ = int(network.n_iter_), len(labels)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the units of the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n, F)

        Returns
        -------
        ndarray of shape (n, H)

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        return self._hidden(X)[1]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n, F)

        Returns
        -------
        ndarray of shape (n, K)
            In the order of `classes_`.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        now, hidden = self._hidden(X)
        scores = hidden @ now.coefs_[-1] + now.intercepts_[-1]
        if scores.shape[1] == 1:
            scores = expit(scores)
            return np.hstack([1 - scores, scores])
        probabilities: np.ndarray = softmax(scores, axis=1)
        return probabilities

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest class of each row.

        Parameters
        ----------
        X : array-like of shape (n, F)

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted or has another number of features.
        """
        chosen = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[chosen]
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows with a label that are given it.

        Parameters
        ----------
        X : array-like of shape (n, F)
        y : array-like of shape (n,)
            Labels; rows of -1, which have none, do not count.
        sample_weight : array-like of shape (n,), default=None
            How often a row counts.

        Returns
        -------
        float

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X is not accepted, or y has not a label for each row.
        """
        predicted = self.predict(X)
        labels = column_or_1d(label_array(y))
        check_consistent_length(predicted, labels, sample_weight)
        refuse_missing(labels)
        known = _has_label(labels) if self.classes_[0] != -1 else np.ones(len(labels), dtype=bool)
        if not known.any():
            raise ValueError("y must hold at least one label besides -1, got none")
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        true = without_objects(labels[known])
        return float(accuracy_score(true, predicted[known], sample_weight=weights))

    @property
    def _n_features_out(self) -> int:
        return len(self.intercepts_[-2])

    def _hidden(self, X: Any) -> tuple[Any, np.ndarray]:
        """Return the network as it is at this moment, and the units of the last hidden layer."""
        check_is_fitted(self, "coefs_")
        now = at_this_moment(self)
        units = now._read_units(X, reset=False)
        for weight, bias in zip(now.coefs_[:-1], now.intercepts_[:-1]):
            units = expit(units @ weight + bias)
        return now, units

    def _tuned(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        sizes: list[int],
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        random: np.random.RandomState,
    ) -> MLPClassifier:
        """Return scikit-learn's network, begun with these hidden layers and trained on."""
        network = MLPClassifier(
            sizes,
            activation="logistic",
            solver="sgd",
            alpha=0.0,
            momentum=0.0,
            nesterovs_momentum=False,
            learning_rate_init=1e-30,
            max_iter=1,
            early_stopping=self.early_stopping,
            validation_fraction=self.validation_fraction,
            warm_start=True,
            random_state=random.randint(2**31 - 1),
        )
        with warnings.catch_warnings():  # one pass that moves nothing makes what fit goes on from
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(rows, labels)
        for held, learnt in zip(network.coefs_, weights):
            held[...] = learnt
        for held, learnt in zip(network.intercepts_, biases):
            held[...] = learnt
        network.loss_curve_ = []
        if self.early_stopping:
            network.validation_scores_, network.best_validation_score_ = [], -np.inf
        else:
            network.best_loss_ = np.inf
        network.set_params(
            solver=self.solver,
            alpha=self.alpha,
            batch_size=self.batch_size,
            momentum=0.9,
            nesterovs_momentum=True,
            learning_rate_init=self.learning_rate_init,
            max_iter=self.max_iter,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
        )
        network.fit(rows, labels)
        return network


def _has_label(labels: np.ndarray) -> np.ndarray:
    """Return which entries are not -1, whatever others there are (n,)."""
    if labels.dtype.kind in "US":
        return np.ones(len(labels), dtype=bool)
    return np.array([isinstance(label, str) or label != -1 for label in labels], dtype=bool)


def _read_labels(y: Any, rows: np.ndarray, network: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels that there are, and which rows have them."""
    require_targets(y, network)
    labels = column_or_1d(label_array(y), warn=True)
    check_consistent_length(rows, labels)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    refuse_missing(labels)
    refuse_dates(labels)
    known = _has_label(labels)
    if not known.all() and len(set(labels[known].tolist())) == 1:  # the two classes -1 and +1
        known[:] = True
    labels = labels[known]
    if len(labels):
        refuse_mixed_types([labels], "y")
        labels = without_objects(labels)  # text or numbers, without what marked the others
        check_classification_targets(labels)
    n_classes = len(np.unique(labels))
    if n_classes < 2:
        raise ValueError(
            f"y of {type(network).__name__} must have at least two classes besides -1, which "
            f"marks rows without a label, got {n_classes} class{'es' if n_classes != 1 else ''}"
        )
    return labels, known
