"""A fitted pipeline in a file that holds no code: skops beside `rnnkit.save`.

skops writes any estimator, and loads nothing but types that are trusted by name: those of rnnkit
are listed, to be looked at, and handed over. `rnnkit.save` needs no such list, because its files
hold numbers and names of rnnkit's own catalogue alone, and they are smaller.
"""

import tempfile
import warnings
from pathlib import Path

import skops.io
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

import rnnkit
from rnnkit.preprocessing import SequenceScaler


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X.reshape(-1, 8, 8), y, random_state=0)
    model = make_pipeline(SequenceScaler(), rnnkit.GRUClassifier(random_state=0)).fit(X, y)
    plain = LogisticRegression(max_iter=1000).fit(X.reshape(-1, 64) / 16, y)
    score = plain.score(X_test.reshape(-1, 64) / 16, y_test)
    print(f"accuracy: logistic regression {score:.3f}, network {model.score(X_test, y_test):.3f}")
    with tempfile.TemporaryDirectory() as folder:
        by_skops, by_rnnkit = Path(folder, "model.skops"), Path(folder, "model.safetensors")
        skops.io.dump(model, by_skops)
        unknown = skops.io.get_untrusted_types(file=by_skops)
        assert all(name.startswith("rnnkit.") for name in unknown)
        loaded = skops.io.load(by_skops, trusted=unknown)
        same = (loaded.predict_proba(X_test) == model.predict_proba(X_test)).all()
        print(f"skops: {by_skops.stat().st_size} bytes, {len(unknown)} types to trust, same {same}")
        rnnkit.save(model, by_rnnkit)
        loaded = rnnkit.load(by_rnnkit)
        same = (loaded.predict_proba(X_test) == model.predict_proba(X_test)).all()
        print(f"rnnkit.save: {by_rnnkit.stat().st_size} bytes, none to trust, same {same}")


if __name__ == "__main__":
    main()
