"""Log-probabilities to text: greedy search, prefix beam search, alignment, and words with their times."""
