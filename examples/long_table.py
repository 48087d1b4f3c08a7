"""From a long table with ids, gaps, categories, numbers and labels to a grid search.

The table is written first, as a hospital might export it: a row for each visit, the patients mixed,
measurements missing. A patient is ill if the pulse was mostly high under drug b.
"""

import io

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import GRUClassifier, Sequences
from rnnkit.preprocessing import SequenceScaler


def visits():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient": np.repeat([f"p{i:03}" for i in range(400)], 10)})
    table["day"] = table.groupby("patient").cumcount()
    table["drug"] = rng.choice(["a", "b", "c"], len(table))
    table["pulse"] = rng.normal(70, 8, len(table))
    table["weight"] = rng.normal(75, 12, len(table))
    under_b = (table["pulse"] - 70) * (table["drug"] == "b")
    table["ill"] = np.where(under_b.groupby(table["patient"]).transform("sum") > 0, "yes", "no")
    table.loc[rng.random(len(table)) < 0.05, "weight"] = np.nan
    return table.sample(frac=0.95, random_state=0).to_csv(index=False)


def main():
    table = pd.read_csv(io.StringIO(visits()), dtype={"drug": "category"})
    X, y = Sequences.from_frame(table, group="patient", sort="day", target="ill", allow_nan=True)
    print(f"{X}, the first is {X.ids[0]}: {y[0]}")
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = make_column_transformer((numbers, ["pulse", "weight"]), remainder="passthrough")
    network = GRUClassifier(embedding_dim=2, categorical_features="from_dtype", random_state=0)
    network.set_params(learning_rate_init=0.01, learning_rate="cosine", max_iter=40)
    model = make_pipeline(SequenceScaler(columns), network)
    grid = {"gruclassifier__hidden_size": [8, 32], "gruclassifier__embedding_dim": [1, 2]}
    search = GridSearchCV(model, grid, cv=3).fit(X[:300], y[:300])
    print(search.best_params_, f"cross-validated accuracy {search.best_score_:.3f}")
    print(f"accuracy of 100 other patients {search.score(X[300:], y[300:]):.3f}")


if __name__ == "__main__":
    main()
