"""Text to trust: word error rate, its interval, paired tests, reports, and transcripts on disk."""
