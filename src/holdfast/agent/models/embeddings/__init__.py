"""Embeddings: a bundle with the skill `embeddings` at work, text in, directions out."""
