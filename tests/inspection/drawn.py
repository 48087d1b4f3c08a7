"""What the stored pictures show: every display with numbers that are no fit's, so that they stay.

`python tests/inspection/drawn.py --write` draws them anew; look at each before it lands.
"""

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "pictures"
DPI = 40
TOLERANCE = 12.0  # root of the mean square of differences, of 255: other versions of fonts differ

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "text.hinting": "none",
    "text.hinting_factor": 8,
    "axes.grid": False,
}


def waves(n_steps, n_units):
    """Smooth numbers between -1 and 1 (T, H), another frequency for each unit."""
    t = np.arange(n_steps)[:, None]
    return np.sin(t * (0.1 + 0.07 * np.arange(n_units)) + np.arange(n_units))


def loss_curves():
    from rnnkit.inspection import LossCurveDisplay

    epochs = np.arange(30)
    return LossCurveDisplay(
        np.exp(-epochs / 8),
        validation_losses=0.3 + 0.7 * np.exp(-epochs / 5) + 0.0006 * epochs**2,
        validation_scores=1 - 0.5 * np.exp(-epochs / 6),
        best_epoch=14,
    ).plot()


def gates():
    from rnnkit.inspection import GateActivationDisplay

    opened = (1 + waves(24, 9)) / 2
    values = {"r": opened, "z": opened[::-1] ** 2, "n": waves(24, 9)}
    return GateActivationDisplay(values).plot()


def hidden_states():
    from rnnkit.inspection import HiddenStateDisplay

    words = ["the", "cat", "sat", "on", "a", "very", "long", "wooden", "bench"]
    return HiddenStateDisplay(waves(9, 12), step_labels=words).plot(sort_units=True)


def saliency():
    from rnnkit.inspection import SaliencyDisplay

    return SaliencyDisplay(
        waves(20, 4) * np.linspace(0, 1, 20)[:, None],
        feature_names=["heart rate", "pressure", "age", "dose"],
        target_name="label 'ill'",
    ).plot()


def gradient_flow():
    from rnnkit.inspection import GradientFlowDisplay

    distance = np.arange(60)
    both = np.array([0.9**distance, 0.5 * 0.8**distance])
    return GradientFlowDisplay(both, name="LSTM").plot()


def attention_of_one():
    from rnnkit.inspection import AttentionDisplay

    weights = np.array([0.1, 0.3, 0.05, 0.55])
    return AttentionDisplay([weights], step_labels=[["not", "bad", "at", "all"]]).plot()


def attention_of_several():
    from rnnkit.inspection import AttentionDisplay

    weights = [np.array([0.1, 0.3, 0.05, 0.55]), np.array([0.8, 0.2])]
    words = [["not", "bad", "at", "all"], ["awful", "film"]]
    return AttentionDisplay(weights, step_labels=words).plot()


def attention_of_written():
    from rnnkit.inspection import AttentionDisplay

    places = np.arange(8)
    weights = np.exp(-((places[:5, None] * 1.5 - places) ** 2) / 2.0)
    weights /= weights.sum(axis=1, keepdims=True)
    display = AttentionDisplay([weights], step_labels=[[*"9/11/989"]], sequence_labels=[*"98911"])
    return display.plot()


def transitions():
    from rnnkit.inspection import TransitionDisplay

    scores = np.array([[-1.0, 2, 0.5], [-0.5, 1, 1.5], [0.5, -np.inf, 1]])
    end = np.array([-0.3, 0, 1.2])
    return TransitionDisplay(scores, np.array([1, -np.inf, 2]), end, ["B-PER", "I-PER", "O"]).plot()


def tagging():
    from rnnkit.inspection import TaggingDisplay

    words = [["Anna", "Karenina", "took", "the", "train", "to", "<Moscow>", "for", "$5"]]
    labels = [["B-PER", "I-PER", "O", "O", "O", "O", "B-LOC", "O", "B-SUM"]]
    true = [["B-PER", "I-PER", "O", "O", "B-OBJ", "O", "B-LOC", "O", None]]
    return TaggingDisplay(words, labels, true_labels=true).plot()


def forecast():
    from rnnkit.inspection import ForecastDisplay

    past = np.sin(np.arange(40) / 4)
    middle = np.sin(np.arange(40, 52) / 4)
    spread = np.linspace(0.1, 0.6, 12)[:, None]
    fan = middle[:, None] + spread * np.array([-1.0, -0.4, 0.0, 0.4, 1.0])
    return ForecastDisplay.from_predictions(
        fan, quantiles=[0.05, 0.25, 0.5, 0.75, 0.95], history=past, actual=middle + 0.1
    )


def confusion():
    from rnnkit.inspection import TokenConfusionDisplay

    true = [["DET", "NOUN", "VERB"], ["DET", "NOUN"], ["VERB", None]]
    return TokenConfusionDisplay.from_predictions(
        true, [["DET", "VERB", "VERB"], ["DET", "NOUN"], ["NOUN", "DET"]]
    )


PICTURES = {
    draw.__name__: draw
    for draw in (
        loss_curves,
        gates,
        hidden_states,
        saliency,
        gradient_flow,
        attention_of_one,
        attention_of_several,
        attention_of_written,
        transitions,
        tagging,
        forecast,
        confusion,
    )
}


def write(name, path):
    """Draw a picture in the style of the stored ones."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**STYLE, "backend": "Agg"})
        figure = PICTURES[name]().figure_
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)


if __name__ == "__main__" and "--write" in sys.argv:
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        write(picture, FOLDER / f"{picture}.png")
