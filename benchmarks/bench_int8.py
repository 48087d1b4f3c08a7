"""What `quantize` brings a fitted model: held-out figures, file, time; each goal beside its figure.

    python benchmarks/bench_int8.py accuracy [task ...] [--hidden-size 256] [--seeds 3]
    python benchmarks/bench_int8.py speed [--hidden-sizes 128 256 512]

"accuracy" fits estimators with default parameters in float32 and predicts again with what
`rnnkit.quantize` makes of them; "speed" times one LSTM layer forward, its weights packed in each
call, beside float32, bfloat16 and PyTorch's dynamically quantised layer, on one thread. The data
folder is taken from RNNKIT_DATA.
"""

import argparse
import functools
import tempfile
import warnings
from pathlib import Path

import numpy as np
from bench_recurrent import OurLayer
from harness import Results, interleaved, use_threads
from sklearn.exceptions import ConvergenceWarning

import rnnkit
from rnnkit.backends.cpu import core_information

STEPS = 100
TIMES, POINTS, SHARE = 2.0, 0.5, 0.3  # goals: at least, at most, at most


def accuracy(options, results):
    """Print a line for each task and estimator: float32, 8 bits, difference, share of the file."""
    from int8.tasks import TASKS

    warnings.simplefilter("ignore", ConvergenceWarning)
    given = {} if options.hidden_size is None else {"hidden_size": options.hidden_size}
    for name in options.tasks or TASKS:
        fit, classes, unit = TASKS[name]
        for cls in classes:
            pairs, shares = [], []
            for seed in range(options.seeds):
                model, score = fit(functools.partial(cls, random_state=seed, **given))
                exact = score(model)
                small = rnnkit.quantize(model)
                pairs.append((exact, score(small)))
                shares.append(bytes_of_file(small) / bytes_of_file(model))
            before, after = np.mean(pairs, axis=0)
            differences = np.diff(pairs, axis=1)[:, 0]
            factor, of = (1, "nats") if unit == "nats" else (100, "points")
            worst = factor * differences[np.argmax(np.abs(differences))]
            print(
                f"{name:16} {cls.__name__:22} {unit:8} float32 {before:.4f}  8 bits {after:.4f}  "
                f"mean {factor * differences.mean():+.3f}, largest {worst:+.3f} {of} "
                f"({options.seeds} seeds, goal {POINTS} {met(abs(worst) <= POINTS)})  "
                f"file {np.mean(shares):.2f} (goal {SHARE} {met(np.mean(shares) <= SHARE)})",
                flush=True,
            )
            results.write(kind="accuracy", task=name, cls=cls.__name__, unit=unit, pairs=pairs)


def met(goal):
    """Return the word for a goal that is met or not."""
    return "met" if goal else "MISSED"


def bytes_of_file(model):
    """Return the bytes of what `rnnkit.save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        rnnkit.save(model, path)
        return path.stat().st_size


def speed(options, results):
    """Print a line for each shape: milliseconds, float32's time over each."""
    use_threads(1)
    facts = core_information()
    print(f"instruction set {facts['isa_in_use']}, products of bytes {facts['int8']}")
    for hidden_size in options.hidden_sizes:
        for n_sequences in options.batches:
            x = np.random.default_rng(1).standard_normal((n_sequences, STEPS, options.inputs))
            x = x.astype(np.float32)
            lengths = np.full(n_sequences, STEPS, np.intp)
            single, bf16, int8 = (
                OurLayer("lstm", x, hidden_size, lengths, "cpu", precision)
                for precision in ("full", "bf16", "int8")
            )
            difference = np.abs(int8.rows() - single.rows()).max()
            runs = {"float32": single.forward, "bf16": bf16.forward, "8 bits": int8.forward}
            if rival := torch_layer(single.x.reshape(STEPS, n_sequences, -1), single.weights):
                runs["torch 8 bits"] = rival
            times = interleaved(runs, options.repeats, options.seconds)
            products = n_sequences * STEPS * 4 * hidden_size * (options.inputs + hidden_size)
            shown = "  ".join(
                f"{name} {t:.3f} ({times['float32'] / t:.2f}x)" for name, t in times.items()
            )
            print(
                f"H={hidden_size} B={n_sequences} I={options.inputs}  {shown}  "
                f"{products / times['8 bits'] / 1e6:.0f} G products/s  differs {difference:.4f}  "
                f"(goal {TIMES}x {met(times['float32'] >= TIMES * times['8 bits'])})",
                flush=True,
            )
            shape = (n_sequences, STEPS, options.inputs, hidden_size)
            results.write(kind="speed", shape=shape, milliseconds=times)


def torch_layer(x, weights):
    """Return PyTorch's layer, dynamically quantised, as a function, or None where it is absent."""
    try:
        import torch
        from rivals.torch_recurrent import load
    except ImportError:
        return None
    layer = torch.nn.LSTM(x.shape[2], weights["weight_hh"].shape[1])
    load(layer, weights)
    rounded = torch.ao.quantization.quantize_dynamic(
        torch.nn.Sequential(layer), {torch.nn.LSTM}, dtype=torch.qint8
    )
    x = torch.from_numpy(np.array(x))

    def forward():
        with torch.inference_mode():
            return rounded(x)[0]

    return forward


def main():
    """Run one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    of_accuracy = kinds.add_parser("accuracy")
    of_accuracy.add_argument("tasks", nargs="*", metavar="task")
    of_accuracy.add_argument("--hidden-size", type=int)
    of_accuracy.add_argument("--seeds", type=int, default=3)
    of_accuracy.set_defaults(run=accuracy)
    of_speed = kinds.add_parser("speed")
    of_speed.add_argument("--hidden-sizes", nargs="+", type=int, default=[128, 256, 512])
    of_speed.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32, 128])
    of_speed.add_argument("--inputs", type=int, default=64)
    of_speed.add_argument("--repeats", type=int, default=9)
    of_speed.add_argument("--seconds", type=float, default=6.0, help="at most, a shape")
    of_speed.set_defaults(run=speed)
    options = parser.parse_args()
    options.run(options, Results("int8"))


if __name__ == "__main__":
    main()
