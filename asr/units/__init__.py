"""Text to targets and back: which classes the model has, and how they are kept on disk."""
