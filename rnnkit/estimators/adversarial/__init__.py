"""Adversarial networks: sequences made like those of `fit`, and how real a sequence is."""
