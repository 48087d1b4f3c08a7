"""Autoencoders: a sequence as a vector of fixed length, back again, and how unusual it is."""
