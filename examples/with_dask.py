"""One model on several workers of dask: fitted, asked lazily, and searched for.

    python examples/with_dask.py

Needs ``pip install "rnnkit[distributed]"``. The cluster is two processes of this machine; with
``Client("tcp://scheduler:8786")`` it is any other.
"""

import joblib
import numpy as np
from dask import delayed
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

from rnnkit import GRUClassifier, Sequences, distributed


def recordings(part):
    """Read a partition: here drawn, elsewhere a file."""
    rng = np.random.RandomState(part)
    return Sequences.from_list([rng.normal(size=(n, 2)) for n in rng.randint(5, 30, 100)])


def answers(X):
    """Return what is asked of each sequence: which feature is larger over all steps."""
    return np.array(["first" if x[:, 0].sum() > x[:, 1].sum() else "second" for x in X])


def main():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        X = [delayed(recordings)(part) for part in range(4)]
        y = [delayed(answers)(part) for part in X]

        model = GRUClassifier(16, learning_rate_init=0.02, learning_rate="linear", random_state=0)
        model.set_params(max_iter=30)
        distributed.fit(model, X, y)
        print(f"trained on {model.t_ // model.n_iter_} sequences of 4 partitions")

        fresh = [delayed(recordings)(part) for part in range(4, 6)]
        lazy = distributed.predict(model, fresh)  # nothing is computed yet
        right = [delayed(np.mean)(delayed(answers)(X) == y) for X, y in zip(fresh, lazy)]
        print(f"accuracy of 200 others {delayed(np.mean)(right).compute():.3f}")

        here = recordings(0)
        search = GridSearchCV(model, {"hidden_size": [4, 8]}, cv=2)
        with joblib.parallel_backend("dask", scatter=[here]):
            search.fit(here, answers(here))
        print(f"searched {len(search.cv_results_['params'])} sizes on the workers")


if __name__ == "__main__":
    main()
