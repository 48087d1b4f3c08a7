"""`save` and `load`: an estimator, a transformer or a pipeline as one file.

The file is a safetensors file. Its metadata say which rnnkit wrote it and in which schema; "model"
is the object as JSON (see `objects`), which refers to the arrays by name. The weights of a network
have the names of `weights_`, so that other programs read them too.
"""

from __future__ import annotations

import errno
import json
import mmap as memory_maps
import os
import stat
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rnnkit.exceptions import FormatError
from rnnkit.persistence.atomic import write_atomically
from rnnkit.persistence.catalogue import name_of
from rnnkit.persistence.container import Bytes, Container, OpenFile, Source, layout, parse_json
from rnnkit.persistence.decoding import Decoder
from rnnkit.persistence.encoding import Encoder
from rnnkit.persistence.objects import decode_object, encoder_of_objects

__all__ = ["contents", "load", "load_bytes", "save"]

FORMAT = "rnnkit"
SCHEMA = 1


def save(estimator: Any, path: Any, include_training_state: bool = False) -> None:
    """Write an estimator, a transformer or a pipeline to a file that `load` reads.

    The file appears whole or not at all: it is written beside its place, read back, and only then
    put where an older one may have been. It holds no code.

    Parameters
    ----------
    estimator : estimator or transformer
        Any of rnnkit, fitted or not, or a scikit-learn `Pipeline`, `FeatureUnion` or
        `ColumnTransformer` of these and of scikit-learn's usual scalers, encoders, imputers and
        linear models.
    path : str or path-like
        Where to. Permissions of a file that is there are kept, and a symbolic link stays one.
    include_training_state : bool, default=False
        Whether what a later `partial_fit` goes on from is written too, so that it goes on with
        the same bits: the solver's vectors and the random states, two or three times the weights.
        Without it, `partial_fit` of what is loaded begins a new run from the weights.

    Raises
    ------
    TypeError
        If the estimator, or something in it, is none that a file carries, such as a function; it
        is named.
    ValueError
        If a weight is not finite.
    OSError
        If the file cannot be written. What was there is as it was.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import rnnkit
    >>> X = np.sin(np.arange(120.0)).reshape(20, 6, 1)
    >>> model = rnnkit.GRUClassifier(4, max_iter=3, learning_rate="linear", random_state=0)
    >>> model = model.fit(X, X[:, 0, 0] > 0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     rnnkit.save(model, path)
    ...     again = rnnkit.load(path)
    >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    pieces = contents(estimator, include_training_state=include_training_state)

    def check(fd: int) -> None:
        try:
            _restore(OpenFile(fd))
        except FormatError as error:
            raise ValueError(f"cannot save: it could not be loaded again, since {error}") from error

    write_atomically(os.fsdecode(os.fspath(path)), pieces, check)


def contents(estimator: Any, *, include_training_state: bool = False) -> Iterator[Any]:
    """Return the bytes of an estimator's file in pieces; raises as `save` does."""
    if name_of(type(estimator)) is None:
        kind = estimator if isinstance(estimator, type) else type(estimator)
        hint = "; save its best_estimator_" if kind.__name__.endswith("SearchCV") else ""
        raise TypeError(f"cannot save: files of rnnkit carry no {kind.__name__}{hint}")
    encoder = Encoder(encoder_of_objects(include_training_state=bool(include_training_state)))
    model = encoder.encode(estimator, "")
    metadata = {
        "format": FORMAT,
        "schema": str(SCHEMA),
        "rnnkit": _installed("rnnkit"),
        "scikit-learn": _installed("scikit-learn"),
        "model": json.dumps(model, allow_nan=False, separators=(",", ":")),
    }
    return layout(encoder.arrays, metadata)


def load(path: Any, *, mmap: bool = False) -> Any:
    """Read what `save` wrote.

    Nothing in the file is executed, and nothing but the classes that `save` writes is restored.
    What the file says is compared with what is there before memory is asked for.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap : bool, default=False
        Whether weights stay in the file until they are looked at, in memory that processes which
        load it share until they write to it. The file may be replaced, as `save` does, but not
        be changed in place meanwhile.

    Returns
    -------
    estimator or transformer

    Raises
    ------
    FormatError
        If the file is not what it should be: a ValueError that says what is wrong.
    OSError
        If the file cannot be read.
    """
    path = os.fsdecode(os.fspath(path))
    # A named pipe would be waited for otherwise.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        try:
            if not stat.S_ISREG(mode):
                raise FormatError("it is no regular file")
            source: Source = OpenFile(fd)
            if mmap and source.size:
                source = Bytes(memory_maps.mmap(fd, 0, access=memory_maps.ACCESS_COPY))
            return _restore(source)
        except FormatError as error:
            raise FormatError(f"{path!r} is no model that can be loaded: {error}") from error
    finally:
        os.close(fd)


def load_bytes(content: Any) -> Any:
    """Read from bytes what `save` wrote to a file; raises as `load` does."""
    return _restore(Bytes(content))


def _restore(source: Source) -> Any:
    container = Container(source)
    model, writer = _model_of(container.metadata)
    decoder = Decoder(container, decode_object)
    try:
        restored = decoder.decode(model)
        container.require_all_read()
    except FormatError as error:
        raise FormatError(f"{_in_a_line(error)} ({writer})") from error
    except RecursionError:
        raise FormatError(f"its parts lie too deep in each other ({writer})") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise FormatError(
            f"its parts do not fit together: {_in_a_line(error)} ({writer})"
        ) from error
    if not isinstance(model, dict) or "object" not in model:
        raise FormatError(f"it holds no estimator ({writer})")
    return restored


def _in_a_line(error: Exception) -> str:
    """Return what an exception says, which may show values out of the file, shortened."""
    text = " ".join(str(error).split())
    return text if len(text) <= 400 else f"{text[:397]}..."


def _model_of(metadata: dict[str, str]) -> tuple[Any, str]:
    """Return the model as JSON, and who wrote it, for messages."""
    if metadata.get("format") != FORMAT or "model" not in metadata:
        raise FormatError(
            f"it is a safetensors file of another program, whose format is "
            f"{metadata.get('format')!r:.100}"
        )
    writer = f"written by rnnkit {metadata.get('rnnkit', 'of an unknown version'):.40}"
    schema = metadata.get("schema", "")
    if schema != str(SCHEMA):
        raise FormatError(
            f"its schema is {schema!r:.40}, and rnnkit {_installed('rnnkit')} reads {SCHEMA} "
            f"({writer})"
        )
    return parse_json(metadata["model"], "its model"), writer


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a source tree on the path
        return "of an unknown version"
