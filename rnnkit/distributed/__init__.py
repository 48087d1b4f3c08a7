"""One training on many machines: data-parallel fits and predictions on a cluster of dask.

What places data and ranks on workers may enter; how a network learns may not.
"""

from rnnkit.distributed.collective import WorkerLostError
from rnnkit.distributed.fitting import fit
from rnnkit.distributed.predicting import predict
from rnnkit.distributed.sources import StoredSequences

__all__ = ["StoredSequences", "WorkerLostError", "fit", "predict"]
