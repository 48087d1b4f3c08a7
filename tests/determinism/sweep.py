"""Random models over all estimators whose bits must not depend on how they are computed.

    python tests/determinism/sweep.py                 # 100 configurations on every instruction set
    python tests/determinism/sweep.py --n 300 --seed 7

For each configuration a model is trained and asked once, and then again with 2, 3 and 4 threads, a
second time, in another process, with X in another form, and for each sequence by itself and in
another order: weights, curves and answers must be equal to the last bit. Each instruction set is
held to its own bits; how far the sets lie apart is printed.

Letters: N sequences, T steps, I features of a step.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from estimators.options import MODES, OPTIONS  # after the path

import rnnkit

CELLS = ("RNN", "LSTM", "GRU")
N_THREADS = (2, 3, 4)
FORMS = ("list", "tuple", "object array", "Sequences", "padded", "Fortran", "big-endian")
# They are set below, need an X or y that is not drawn here, or let rounding grow beyond bounds.
NOT_DRAWN = {
    "learning_rate_init", "max_iter", "hidden_size", "step_features", "random_state", "solver",
    "tol", "loss", "output", "class_weight", "ignore_label", "forbidden_transitions", "batch_size",
    "targets",
}  # fmt: skip
SOLVERS = ("adam", "adamw", "sgd", "nesterov", "rmsprop", "adagrad", "adadelta", "lbfgs")
# How far trained weights of two instruction sets may lie apart, relative to the largest: rounding
# grows from update to update.
APART = {"f8": 1e-8, "f4": 1e-3, "bf16": 5e-2}


class Configuration(NamedTuple):
    """An estimator before its training, its data, and the dtype that errors are measured by."""

    text: str
    estimator: Any
    X: list[np.ndarray]
    y: Any
    form: str
    dtype: str


def draw(seed: int) -> Configuration:
    """Return a random configuration; the same for the same seed."""
    rng = np.random.RandomState(seed)
    cell, name = CELLS[seed % 3], list(MODES)[rng.randint(len(MODES))]
    mode = MODES[name]
    estimator = getattr(rnnkit, cell + mode.task)(**mode.settings)
    allowed = sorted(set(OPTIONS) & set(estimator.get_params()) - NOT_DRAWN - set(mode.settings))
    settings = {
        "hidden_size": int(rng.randint(3, 40)),
        "max_iter": int(rng.randint(1, 4)),
        "batch_size": int(rng.randint(4, 40)),
        "learning_rate_init": 0.02,
        "random_state": seed,
        "solver": SOLVERS[rng.randint(len(SOLVERS))],
    }
    chosen = []
    for option in rng.permutation(allowed)[: rng.randint(0, 6)]:
        value = OPTIONS[option]
        if value.form == "rows" or set(value.needs) & set(mode.settings):
            continue
        trial = {**settings, **value.needs, option: value.value}
        if is_accepted(cell, mode, trial):
            settings = trial
            chosen.append(str(option))
    estimator.set_params(**settings)
    X, y, dtype = data_of(estimator, mode.task, name, rng)
    form = FORMS[rng.randint(len(FORMS))]
    text = f"{seed}: {type(estimator).__name__} {name}, {dtype}, X as {form}, {', '.join(chosen)}"
    return Configuration(text, estimator, X, y, form, dtype)


def is_accepted(cell: str, mode: Any, settings: dict[str, Any]) -> bool:
    """Whether an estimator takes these parameters beside each other."""
    estimator = getattr(rnnkit, cell + mode.task)(**{**mode.settings, **settings})
    estimator.set_params(max_iter=1, hidden_size=3)
    X = np.zeros((len(mode.y), 5, 3), int if estimator.embedding_dim else float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(X, mode.y)
        except (ValueError, FloatingPointError):
            return False
    return True


def data_of(estimator: Any, task: str, name: str, rng: Any) -> tuple[list[np.ndarray], Any, str]:
    """Return ragged X and y of an estimator, and the dtype it computes in."""
    n, longest = int(rng.randint(20, 60)), int(rng.randint(4, 14))
    steps = rng.randint(3, longest + 1, n)
    dtype = ("f4", "f8")[rng.randint(2)]
    if estimator.embedding_dim:
        X = [rng.randint(0, 4, (t, 3)) for t in steps]
        dtype = "f4"
    else:
        X = [rng.randn(t, 3).astype(dtype) for t in steps]
    if getattr(estimator, "static", "steps") == "state":
        for x in X:
            x[:, 1] = x[0, 1]
    if task == "SequenceLabeller":
        y: Any = [[0, 1][: rng.randint(1, 3)] for _ in steps]
    elif task == "EncoderDecoder" and "numbers" in name:
        y = [rng.uniform(0.5, 2, 3) for _ in steps]
    elif task == "EncoderDecoder":
        y = [rng.randint(0, 2, rng.randint(0, 5)) for _ in steps]
    elif task == "Autoencoder":
        y = np.zeros(n)
    elif task == "SequenceTagger":
        several = np.ndim(MODES[name].y) == 3
        y = [rng.randint(0, 2, (t, 3) if several else t) for t in steps]
    elif task == "SequenceRegressor":
        several = np.ndim(MODES[name].y) == 3
        y = [rng.uniform(0.5, 2, (t, 3) if several else t) for t in steps]
    elif task == "Regressor":
        y = rng.uniform(0.5, 2, (n, 3) if np.ndim(MODES[name].y) == 2 else n)
    else:
        y = rng.randint(0, 2, (n, 3)) if np.ndim(MODES[name].y) == 2 else np.arange(n) % 2
    return X, y, "bf16" if estimator.precision == "bf16" else dtype


def in_form(X: list[np.ndarray], form: str) -> tuple[Any, dict[str, Any]]:
    """Return the same sequences in another form, and what a method takes beside them."""
    if form == "tuple":
        return tuple(X), {}
    if form == "object array":
        objects = np.empty(len(X), object)
        objects[:] = X
        return objects, {}
    if form == "Sequences":
        return rnnkit.Sequences.from_list(X), {}
    if form == "padded":
        lengths = np.array([len(x) for x in X])
        dense = np.zeros((len(X), lengths.max(), X[0].shape[1]), X[0].dtype)
        for row, x in zip(dense, X):
            row[: len(x)] = x
        return dense, {"lengths": lengths}
    if form == "Fortran":
        return [np.asfortranarray(x) for x in X], {}
    if form == "big-endian":
        return [x.astype(x.dtype.newbyteorder(">")) for x in X], {}
    return X, {}


def rows_of(values: Any, X: list[np.ndarray], per_step: bool) -> list[np.ndarray]:
    """Return the answers for each sequence, over its real steps."""
    if isinstance(values, rnnkit.Sequences):
        values = values.to_list()
    rows = [np.asarray(row) for row in values]
    return [row[: len(x)] for row, x in zip(rows, X)] if per_step else rows


def answers(model: Any, X: list[np.ndarray], form: str = "list") -> list[np.ndarray]:
    """Return all that a model says about each sequence, one array after the other."""
    given, call = in_form(X, form)
    per_step = "Sequence" in type(model).__name__
    is_labeller = type(model).__name__.endswith("Labeller")
    found = rows_of(model.predict(given, **call), X, per_step and not is_labeller)
    if hasattr(model, "predict_proba"):
        found += rows_of(model.predict_proba(given, **call), X, per_step)
    return found + rows_of(model.hidden_states(given, **call), X, True)


def trained(configuration: Configuration, form: str = "list") -> Any:
    """Return the model of a configuration, trained on X in a form."""
    from sklearn.base import clone

    X, call = in_form(configuration.X, form)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(configuration.estimator).fit(X, configuration.y, **call)


def digest(model: Any, rows: list[np.ndarray]) -> str:
    """Return a hash of weights, curves and answers."""
    sums = hashlib.blake2b(digest_size=8)
    curves = [np.asarray(model.loss_curve_), np.asarray(model.validation_scores_ or [])]
    for array in [model.network_.parameters.flat, *curves, *rows]:
        sums.update(f"{array.dtype.str} {array.shape} ".encode())
        sums.update(np.ascontiguousarray(array).tobytes())
    return sums.hexdigest()


def check(configuration: Configuration) -> tuple[list[str], str, np.ndarray]:
    """Return what changed the bits of a configuration, its hash with one thread, its weights."""
    X = configuration.X
    with threadpool_limits(limits=1):
        model = trained(configuration)
        rows = answers(model, X)
        expected = digest(model, rows)
        changed = []
        for what, form in (("a second time", "list"), (configuration.form, configuration.form)):
            other = trained(configuration, form)
            if digest(other, answers(other, X, form)) != expected:
                changed.append(what)
        order = np.random.RandomState(0).permutation(len(X))
        n_kinds = len(rows) // len(X)
        turned = answers(model, [X[i] for i in order])
        alone = [answers(model, [x]) for x in X[:5]]
        for kind in range(n_kinds):
            for place, i in enumerate(order):
                if not same(turned[kind * len(X) + place], rows[kind * len(X) + i]):
                    changed.append("another order")
                    break
            if not all(same(a[kind], rows[kind * len(X) + i]) for i, a in enumerate(alone)):
                changed.append("alone")
    for n_threads in N_THREADS:
        with threadpool_limits(limits=n_threads):
            other = trained(configuration)
            if digest(other, answers(other, X)) != expected:
                changed.append(f"{n_threads} threads")
    return changed, expected, model.network_.parameters.flat.copy()


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


class Found(NamedTuple):
    """What a process found: for each configuration what changed its bits, its hash, its weights."""

    changed: list[list[str]]
    digests: list[str]
    weights: list[np.ndarray]


def sweep(seeds: list[int]) -> Found:
    """Check configurations in this process."""
    results = [check(draw(seed)) for seed in seeds]
    return Found(*map(list, zip(*results)))


def sweep_elsewhere(seeds: list[int], isa: str, folder: Path) -> Found:
    """Check configurations in a process of its own, with an instruction set."""
    target = folder / f"{isa}.npz"
    child = subprocess.run(
        [sys.executable, __file__, "--child", str(target), *map(str, seeds)],
        env={**os.environ, "RNNKIT_ISA": isa, "PYTHONHASHSEED": str(len(isa)),
             "OMP_NUM_THREADS": "4"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )  # fmt: skip
    changed, digests = json.loads(child.stdout)
    with np.load(target) as file:
        return Found(changed, digests, [file[str(seed)] for seed in seeds])


def instruction_sets() -> list[str]:
    """Return the instruction sets of this machine, the one in use first."""
    core = (rnnkit.show_config(mode="dicts") or {})["core"]
    others = [isa for isa in core["isa_available"] if isa != core["isa_in_use"]]
    return [core["isa_in_use"], *others]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return how far two vectors of weights lie apart, relative to the largest weight."""
    return float(np.abs(a - b).max() / max(1.0, np.abs(a).max()))


def main() -> None:
    parser = argparse.ArgumentParser(description="Check that bits depend on nothing they may not.")
    parser.add_argument("--n", type=int, default=100, help="number of configurations")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        target, seeds = arguments.child[0], [int(seed) for seed in arguments.child[1:]]
        found = sweep(seeds)
        np.savez(target, **{str(seed): w for seed, w in zip(seeds, found.weights)})
        print(json.dumps([found.changed, found.digests]))
        return
    import tempfile

    seeds = list(range(arguments.seed, arguments.seed + arguments.n))
    sets, start = instruction_sets(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        results = {isa: sweep_elsewhere(seeds, isa, Path(folder)) for isa in sets}
        again = sweep_elsewhere(seeds, sets[0], Path(folder))
    n_failed = 0
    apart = dict.fromkeys(APART, 0.0)
    for i, seed in enumerate(seeds):
        configuration = draw(seed)
        changed = [f"{isa}: {what}" for isa in sets for what in results[isa].changed[i]]
        if again.digests[i] != results[sets[0]].digests[i]:
            changed.append("another process")
        for isa in sets[1:]:
            far = distance(results[sets[0]].weights[i], results[isa].weights[i])
            apart[configuration.dtype] = max(apart[configuration.dtype], far)
            if far > APART[configuration.dtype]:
                changed.append(f"{isa} lies {far:.2g} from {sets[0]}")
        if changed:
            n_failed += 1
            print(f"{configuration.text}: {'; '.join(changed)}")
    print(f"{len(seeds)} configurations on {', '.join(sets)}: {n_failed} changed their bits")
    print("weights of two instruction sets lie apart by at most", end=" ")
    print(", ".join(f"{dtype} {far:.2g}" for dtype, far in apart.items()), end="")
    print(f" of the largest weight; {time.perf_counter() - start:.0f} s")
    sys.exit(n_failed > 0)


if __name__ == "__main__":
    main()
