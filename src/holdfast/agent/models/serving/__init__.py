"""Asking a language model: which endpoint may and can answer, the engines behind it, and the answer held to its schema."""
