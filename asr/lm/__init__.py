"""Probabilities of text: n-gram models estimated, read, written, pruned, mixed and looked up."""
