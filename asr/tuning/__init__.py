"""What a search for words is told, found on dev: weights, scores, beam, and how sure words are."""
