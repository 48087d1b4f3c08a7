"""Restricted Boltzmann machines whose biases follow a recurrent network: RNN-RBM."""
