"""Encoder-decoders: a sequence of numbers or tokens read, another of another length written."""
