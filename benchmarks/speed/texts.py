"""Rows of language models against PyTorch doing the same: training a text, writing one.

Training: one epoch over 200,000 random characters of 65 kinds through `fit`, 256 units, embedding
64, windows of 64 steps, 32 streams with their state carried, Adam, gradients clipped to norm 1,
float32, one thread; PyTorch in the loop that character models are trained with. Writing: one
text, a character at a time, drawn from the softmax; PyTorch in inference mode in a plain loop over
its own embedding, layer and head. "Many": 32 texts side by side in both. "bf16": ours with
``precision="bf16"``, whose factors are rounded, against the same PyTorch in float32; no goal.
"""

from __future__ import annotations

import warnings

import numpy as np
from harness import geometric_mean, interleaved, use_threads
from speed.rows import at_least, missing

import rnnkit

N_KINDS, EMBEDDING, HIDDEN_SIZE, STREAMS, WINDOW = 65, 64, 256, 32, 64
N_CHARACTERS = 200_000
N_WRITTEN, MANY = 500, 32
TRAINING_GOAL, WRITING_GOAL = 2.0, 20.0
ROWS = ("lstm", "gru")


def text(n):
    """Return n characters, all of which occur."""
    rng = np.random.default_rng(0)
    return "".join(map(chr, 40 + rng.integers(0, N_KINDS, n)))


def model(cell, hidden_size=HIDDEN_SIZE, **parameters):
    """Return the model that PyTorch imitates."""
    kind = {"lstm": rnnkit.LSTMLanguageModel, "gru": rnnkit.GRULanguageModel}[cell]
    settings = dict(embedding_dim=EMBEDDING, bptt_steps=WINDOW, batch_size=STREAMS, dropout=0.0)
    settings |= dict(stretch_steps=10 * WINDOW, learning_rate="constant", max_iter=1)
    return kind(hidden_size, **{**settings, **parameters}, random_state=0)


def quietly(function, *arguments):
    """Call a function without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def training(run):
    """Rows of an epoch through `fit`."""
    try:
        from rivals.torch_text import Net, train
    except ImportError:
        return [missing("training a text", "torch is not installed", f">= {TRAINING_GOAL}×")]
    use_threads(1)
    characters, rows = text(N_CHARACTERS), []
    ids = np.frombuffer(characters.encode("utf-32-le"), "<u4").astype(np.int64) - 40
    for cell in ROWS:
        times = interleaved(
            {
                "rnnkit": lambda cell=cell: quietly(model(cell).fit, characters),
                "rnnkit bf16": lambda cell=cell: quietly(
                    model(cell, precision="bf16").fit, characters
                ),
                "torch": lambda cell=cell: train(
                    Net(cell, N_KINDS, EMBEDDING, HIDDEN_SIZE), ids, STREAMS, WINDOW
                ),
            },
            min(run.repeats, 3),
            run.seconds,
        )
        shown = "  ".join(f"{name} {time:.0f}" for name, time in times.items())
        print(f"training a text, {cell} H={HIDDEN_SIZE}  {shown} ms", flush=True)
        run.results.write(kind="training a text", cell=cell, milliseconds=times)
        what = f"{cell} training a text, H={HIDDEN_SIZE}, 1 thread, against torch's loop"
        rows.append(at_least(what, times["torch"] / times["rnnkit"], TRAINING_GOAL))
        rows.append(at_least(f"{what}, bf16", times["torch"] / times["rnnkit bf16"], 1.0))
    return rows


def writing(run):
    """Rows of one text, and of many, by the hidden size."""
    try:
        from rivals.torch_text import Net, write
    except ImportError:
        return [missing("writing a text", "torch is not installed", f">= {WRITING_GOAL}×")]
    use_threads(1)
    characters, rows = text(5000), []
    for cell in ROWS:
        ratios = []
        for hidden_size in (64, 128, 256):
            fitted = quietly(model(cell, hidden_size, batch_size="auto").fit, characters)
            net = Net(cell, N_KINDS, EMBEDDING, hidden_size)
            rounded = model(cell, hidden_size, batch_size="auto", precision="bf16")
            rounded = quietly(rounded.fit, characters)
            runs = {
                "rnnkit": lambda fitted=fitted: fitted.sample(N_WRITTEN, random_state=0),
                "rnnkit bf16": lambda fitted=rounded: fitted.sample(N_WRITTEN, random_state=0),
                "torch": lambda net=net: write(net, N_WRITTEN, 1),
                "rnnkit many": lambda fitted=fitted: fitted.sample(
                    N_WRITTEN // 5, n_samples=MANY, random_state=0
                ),
                "torch many": lambda net=net: write(net, N_WRITTEN // 5, MANY),
            }
            times = interleaved(runs, run.repeats, run.seconds)
            each = {
                name: 1e3 * time / (N_WRITTEN // 5 * MANY if "many" in name else N_WRITTEN)
                for name, time in times.items()
            }
            shown = "  ".join(f"{name} {time:.2f}" for name, time in each.items())
            print(f"writing, {cell} H={hidden_size}  {shown} µs a character", flush=True)
            run.results.write(kind="writing", cell=cell, hidden_size=hidden_size, microseconds=each)
            ratios.append(each["torch"] / each["rnnkit"])
            what = f"{cell} writing a text, H={hidden_size}, against torch's loop"
            rows.append(at_least(what, ratios[-1], WRITING_GOAL))
            rows.append(at_least(f"{what}, bf16", each["torch"] / each["rnnkit bf16"], 1.0))
            what = f"{cell} writing {MANY} texts at once, H={hidden_size}, against torch's batch"
            rows.append(at_least(what, each["torch many"] / each["rnnkit many"], 1.0))
        what = f"{cell} writing a text, geometric mean"
        rows.append(at_least(what, geometric_mean(ratios), WRITING_GOAL))
    return rows
