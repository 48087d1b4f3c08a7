"""A small model's file as bytes, and edits of it that keep it a well-formed file."""

import json

import numpy as np

import rnnkit
from rnnkit.persistence.container import METADATA, layout
from rnnkit.persistence.files import contents

X = np.random.RandomState(0).randn(12, 4, 3)
MODEL = rnnkit.LSTMClassifier(
    4, max_iter=2, learning_rate="linear", random_state=0
).fit(X, np.where(X[:, 0, 0] > 0, "up", "down"))  # fmt: skip


def content_of(model=MODEL, **options):
    """The bytes of a model's file."""
    return b"".join(map(bytes, contents(model, **options)))


def split(content):
    """The header of a file, and where its arrays begin."""
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(bytes(content[8:start])), start


def edited(edit, metadata=(), keep_arrays=True, content=None):
    """The bytes of a file whose model was edited as JSON."""
    content = content_of() if content is None else content
    header, start = split(content)
    texts = header.pop(METADATA)
    model = json.loads(texts["model"])
    edit(model)
    texts = {**texts, "model": json.dumps(model), **dict(metadata)}
    arrays = {}
    for name, entry in header.items() if keep_arrays else ():
        begin, end = (start + offset for offset in entry["data_offsets"])
        dtype = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "u1", "U32": "<u4"}[entry["dtype"]]
        arrays[name] = np.frombuffer(content[begin:end], dtype).reshape(entry["shape"])
    return b"".join(map(bytes, layout(arrays, texts)))
