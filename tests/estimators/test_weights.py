"""A sample weight is as good as so many repetitions, and only ratios of small ones count."""

import numpy as np
import pytest
from sklearn.base import clone

import rnnkit

RNG = np.random.RandomState(0)
N = 24
X = [RNG.randn(length, 2) for length in RNG.randint(3, 6, N)]
LABELS = RNG.randint(0, 3, N)
SEVERAL = RNG.randint(0, 2, (N, 3))
TAGS = [RNG.randint(0, 3, len(x)) for x in X]
SEVERAL_TAGS = [RNG.randint(0, 2, (len(x), 2)) for x in X]
NUMBERS = [RNG.randn(len(x), 2) + 3 for x in X]
WEIGHTS = RNG.randint(0, 4, N)
TRAINED = {"max_iter": 3, "batch_size": 10_000, "shuffle": False, "random_state": 0}


def with_gaps(steps):
    rng = np.random.RandomState(1)
    return [np.where(rng.rand(*np.shape(s)) < 0.2, np.nan, s) for s in steps]


def trained(name, **parameters):
    return getattr(rnnkit, name)(3, **TRAINED, **parameters)


def cases():
    found = {}
    for kind in (None, "balanced", {0: 2.0, 1: 0.5}):
        for smoothing in (0.0, 0.2):
            options = {"class_weight": kind, "label_smoothing": smoothing}
            classifier, tagger = (
                trained("GRUClassifier", **options),
                trained("GRUSequenceTagger", **options),
            )
            words = f"{kind} {smoothing}"
            found[f"labels {words}"] = classifier, LABELS
            found[f"several labels {words}"] = classifier, SEVERAL
            found[f"tags {words}"] = tagger, TAGS
            found[f"some tags {words}"] = tagger, with_gaps(TAGS)
            found[f"several tags {words}"] = tagger, SEVERAL_TAGS
            found[f"some of several tags {words}"] = tagger, with_gaps(SEVERAL_TAGS)
        classifier = rnnkit.EchoStateClassifier(5, class_weight=kind, random_state=0)
        tagger = rnnkit.EchoStateSequenceTagger(5, class_weight=kind, random_state=0)
        found[f"closed form {kind}"] = classifier, LABELS
        found[f"closed form, several {kind}"] = classifier, SEVERAL
        found[f"closed form, some tags {kind}"] = tagger, with_gaps(TAGS)
        found[f"closed form, some of several {kind}"] = tagger, with_gaps(SEVERAL_TAGS)
    for loss in ("squared", "absolute", "huber", "quantile", "poisson"):
        y = np.abs([s[0] for s in NUMBERS])
        found[loss] = trained("GRURegressor", loss=loss), y
        steps = [np.abs(s) for s in with_gaps(NUMBERS)]
        found[f"{loss} of some steps"] = trained("GRUSequenceRegressor", loss=loss), steps
    several = trained("GRURegressor", loss="quantile", quantile=[0.2, 0.5, 0.9])
    found["quantiles"] = several, np.array([s[0] for s in NUMBERS])
    found["field"] = trained("GRUSequenceTagger", output="crf"), with_gaps(TAGS)
    found["unaligned"] = trained("GRUSequenceLabeller"), [t[:1] for t in TAGS]
    found["written"] = trained("GRUEncoderDecoder"), [t[:2] for t in TAGS]
    found["codes"] = trained("GRUAutoencoder", code_size=2, input_noise=0.0), None
    return found


CASES = cases()


def learnt(model, rows, y, weights=None):
    """What a clone learns of some rows: all its weights, one after the other."""
    chosen = y[rows] if isinstance(y, np.ndarray) else None if y is None else [y[i] for i in rows]
    model = clone(model).fit([X[i] for i in rows], chosen, sample_weight=weights)
    return np.concatenate([weight.ravel() for weight in model.weights_.values()])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_a_weight_is_as_good_as_repetitions(case):
    model, y = CASES[case]
    weighed = learnt(model, np.arange(N), y, WEIGHTS)
    repeated = learnt(model, np.repeat(np.arange(N), WEIGHTS), y)
    np.testing.assert_allclose(weighed, repeated, rtol=1e-6, atol=1e-8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("unit", [1 / N, 1e-3, 2.0**-100])
@pytest.mark.parametrize(
    "case", [case for case in CASES if "closed form" not in case or "{" not in case]
)
def test_weights_that_count_nothing_are_ratios(case, unit):
    """But for closed forms, where weights of classes are counts of their own."""
    model, y = CASES[case]
    weighed = learnt(model, np.arange(N), y, np.full(N, unit))
    np.testing.assert_allclose(weighed, learnt(model, np.arange(N), y), rtol=1e-6, atol=1e-8)
