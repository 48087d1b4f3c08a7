"""The RNN-RBM of Boulanger-Lewandowski, Bengio & Vincent (2012) on the chorales of Bach.

    python -m benchmarks.papers.recurrent_rbm [frequencies] [default] [gru] ... [--seeds 3]

Task: the JSB chorales in quarters, 88 notes (RNNKIT_DATA/polymusic), trained on the 229 of the
training part, tested on the 77 of the test part. Figures are means over all steps of the test
part, as the paper's:

- nats: the log-likelihood of a step given those before it, summed over the notes; of the machines
  by annealed importance sampling with 16 chains and 200 temperatures (64 and 1000 move it by less
  than 0.01)
- accuracy: expected TP / (TP + FP + FN) of the notes (Bay, Ehmann & Downie 2009), foreseen by their
  probability given the steps before
- pseudo: the pseudo-log-likelihood, which training watches

The paper: RNN-RBM -6.27 nats and 33.12 % accuracy, with hidden layers chosen by the validation
part and, for some models, pre-training. `default` is ``RecurrentRBM(random_state=seed)``; `rnn`,
`gru` and `lstm` add dropout, and the last has 100 units. The baselines: `frequencies`, every note
alone with its frequency in the training part, and `regressions`, a logistic regression of every
note on the 88 notes of the step before. A run succeeds if it is above the paper's -6.27.
"""

from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.scores.runner import loaders
from rnnkit.energy import RecurrentRBM

from .runner import Experiment, Outcome, run_experiments

GOAL = -6.27
PAPER = "-6.27 nats, accuracy 33.12 %"
EPOCHS = 60
SETTINGS = {
    "default": {},
    "rnn": {"dropout": 0.2, "input_dropout": 0.1, "batch_size": 8, "max_iter": EPOCHS},
    "gru": {"dropout": 0.2, "input_dropout": 0.1, "batch_size": 8, "max_iter": EPOCHS},
    "lstm": {
        "dropout": 0.4,
        "input_dropout": 0.2,
        "batch_size": 8,
        "max_iter": EPOCHS,
        "hidden_size": 100,
    },
}


def chorales():
    """Return the training and the test chorales, lists of (T, 88) of 0 and 1."""
    rolls = loaders().jsb_chorales()
    return [[np.asarray(r, np.float32) for r in rolls[part]] for part in ("train", "test")]


def machines(seed, options):
    """Fit a RecurrentRBM on the training chorales."""
    train, test = chorales()
    model = RecurrentRBM(random_state=seed, **options).fit(train)
    nats = model.score(test, method="ais")
    figures = {
        "nats": nats,
        "accuracy": model.accuracy(test, n_gibbs=50),
        "pseudo": model.score(test),
        "pseudo of training": model.score(train),
    }
    return Outcome(nats > GOAL, model.t_, figures)


def figures_of(means, test):
    """Return nats and accuracy of notes that are independent given the steps before."""
    v = np.concatenate(test)
    log_p = v * np.log(means) + (1 - v) * np.log1p(-means)
    found = (v * means).sum()
    return {
        "nats": float(log_p.sum() / len(v)),
        "accuracy": float(found / (v.sum() + means.sum() - found)),
    }


def frequencies(seed):
    """Every note alone, with its frequency."""
    train, test = chorales()
    notes = np.concatenate(train)
    means = (notes.sum(axis=0) + 0.5) / (len(notes) + 1.0)
    figures = figures_of(np.tile(means, (sum(map(len, test)), 1)).astype(np.float64), test)
    return Outcome(figures["nats"] > GOAL, len(train), figures)


def regressions(seed):
    """Every note by a logistic regression on the step before."""
    train, test = chorales()
    before, after = (np.concatenate([steps_before(r) for r in part]) for part in (train, test))
    notes = np.concatenate(train)
    means = np.empty((len(after), notes.shape[1]))
    for note, on in enumerate(notes.T):
        smoothed = (on.sum() + 0.5) / (len(on) + 1.0)
        if on.any():
            model = LogisticRegression(max_iter=300).fit(before, on)
            means[:, note] = model.predict_proba(after)[:, 1]
        else:
            means[:, note] = smoothed
    figures = figures_of(np.clip(means, 1e-6, 1 - 1e-6), test)
    return Outcome(figures["nats"] > GOAL, len(train), figures)


def steps_before(roll):
    """Return the steps before those of a chorale, zeros before the first."""
    return np.concatenate([np.zeros_like(roll[:1]), roll[:-1]])


if __name__ == "__main__":
    cells = {"default": "rnn"}
    run_experiments(
        __doc__.split("\n")[0],
        Experiment("frequencies", frequencies, 229, seeds=1),
        Experiment("regressions", regressions, 229, seeds=1),
        *(
            Experiment(
                name,
                partial(machines, options={"cell": cells.get(name, name), **options}),
                229 * options.get("max_iter", 150),
                seeds=3,
                paper=PAPER,
            )
            for name, options in SETTINGS.items()
        ),
    )
