"""One-step forecasts of airline passengers and sunspots."""

import numpy as np

from rnnkit import LSTMSequenceRegressor

from .runner import Task, loaders


def rmse(predicted, actual):
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def forecast_by_changes(values, n_train, model, *, with_levels):
    """Fit on the first n_train values and return the one-step forecasts of ``values[2:]``.

    The network reads each change between neighbours, scaled, beside it the scaled value if
    asked for, and predicts the next change.
    """
    changes = np.diff(values)
    scale = changes[: n_train - 1].std()
    inputs = changes[:-1, np.newaxis] / scale
    if with_levels:
        known = values[:n_train]
        inputs = np.column_stack([inputs, (values[1:-1] - known.mean()) / known.std()])
    targets = changes[1:] / scale
    n_known = n_train - 2  # targets whose value is among the first n_train
    model.fit([inputs[:n_known]], [targets[:n_known]])
    return values[1:-1] + model.predict([inputs])[0] * scale


def airline(seed):
    """Logarithms, differenced over twelve months; the first 67 % to train on."""
    passengers = loaders().series("airline-passengers")
    logs = np.log(passengers)
    seasonal = logs[12:] - logs[:-12]
    n_train = int(0.67 * len(passengers))
    model = LSTMSequenceRegressor(
        32,
        solver="adamw",
        learning_rate_init=3e-3,
        learning_rate="cosine",
        input_noise=0.3,
        dropout=0.3,
        max_iter=60,
        n_iter_no_change=60,
        random_state=seed,
    )
    forecast = forecast_by_changes(seasonal, n_train - 12, model, with_levels=False)
    predicted = np.exp(forecast + logs[2:-12])  # of passengers[14:]
    return rmse(predicted[n_train - 14 :], passengers[n_train:])


def sunspots(seed):
    """Square roots; the first 80 % to train on."""
    spots = loaders().series("monthly-sunspots")
    n_train = int(0.8 * len(spots))
    model = LSTMSequenceRegressor(
        32,
        solver="adamw",
        learning_rate_init=5e-3,
        learning_rate="cosine",
        input_noise=0.1,
        dropout=0.2,
        bptt_steps=100,
        max_iter=40,
        n_iter_no_change=40,
        random_state=seed,
    )
    forecast = forecast_by_changes(np.sqrt(spots), n_train, model, with_levels=True)
    return rmse(np.maximum(forecast, 0)[n_train - 2 :] ** 2, spots[n_train:])


TASKS = [
    Task("airline", airline, 15.0, larger_is_better=False, unit="passengers"),
    Task("sunspots", sunspots, 18.6, larger_is_better=False, unit="spots"),
]
