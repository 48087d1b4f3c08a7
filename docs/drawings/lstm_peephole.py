"""One step of an LSTM with peepholes: the dashed lines let the gates see the cell state."""

from lstm_cell import draw

draw(peephole=True)
