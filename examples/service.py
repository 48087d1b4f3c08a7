"""A saved model as a web service: whole sequences, and sequences that arrive step by step.

    pip install 'rnnkit[serve]'
    python examples/service.py model.safetensors 8000

Requests are answered side by side and need no lock: any number of threads may ask one fitted
estimator. A stream is one client's, and a second request to it meanwhile is refused.
"""

import sys
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from uuid import uuid4

import numpy as np
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

import rnnkit

LIMIT = 10_000  # sequences of a request, and streams that are kept: the oldest one goes first


class Sequences(BaseModel):
    """Sequences of any lengths: numbers for every step."""

    sequences: list[list[list[float]]] = Field(min_length=1, max_length=LIMIT)


class Step(BaseModel):
    """The numbers of one step."""

    values: list[float]


def create_app(path):
    """Return the application that answers from the model in a file."""
    model = rnnkit.load(path)
    app = FastAPI(title=Path(path).stem)
    streams, lock = OrderedDict(), Lock()

    @app.get("/health")
    def health():
        return {"model": str(model), "rnnkit": rnnkit.__version__}

    @app.post("/predict")
    def predict(request: Sequences):
        X = [as_rows(sequence) for sequence in request.sequences]
        with refusals():
            answer = {"predictions": plain(model.predict(X))}
            if hasattr(model, "predict_proba"):
                answer["probabilities"] = plain(model.predict_proba(X))
                answer["classes"] = plain(model.classes_)
        return answer

    @app.post("/streams")
    def begin():
        with refusals():
            stream = model.stream() if hasattr(model, "stream") else refuse("it has no stream()")
        name = uuid4().hex
        with lock:
            streams[name] = stream
            while len(streams) > LIMIT:
                streams.popitem(last=False)
        return {"stream": name}

    @app.post("/streams/{name}")
    def step(name: str, request: Step):
        with refusals():
            return {"prediction": plain(find(name).step(np.array(request.values)))}

    @app.delete("/streams/{name}")
    def end(name: str):
        find(name)
        with lock:
            streams.pop(name, None)
        return {}

    def find(name):
        stream = streams.get(name)
        if stream is None:
            raise HTTPException(404, f"no stream is called {name!r}")
        return stream

    return app


def as_rows(sequence):
    """Return steps as rows; rows of several lengths are refused by a sentence."""
    if len({len(step) for step in sequence}) > 1:
        raise HTTPException(422, "the steps of a sequence have the same number of values")
    return np.array(sequence, dtype=float)


def plain(values):
    """Return what JSON can hold."""
    if isinstance(values, list) or np.asarray(values).dtype == object:  # one for every sequence
        return [plain(value) for value in values]
    return np.asarray(values).tolist()


def refuse(reason):
    raise ValueError(reason)


@contextmanager
def refusals():
    """Turn what the model refuses into an answer: 422 bad input, 409 a stream that is in use."""
    try:
        yield
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    except RuntimeError as error:
        raise HTTPException(409, str(error)) from error


if __name__ == "__main__":
    import uvicorn

    if len(sys.argv) != 3:
        sys.exit(__doc__)
    uvicorn.run(create_app(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
