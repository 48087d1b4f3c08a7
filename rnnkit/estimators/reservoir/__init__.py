"""Networks whose recurrent weights are drawn or evolved, and whose readout has a closed form."""
