"""Manuals: documents read into passages that can be found again, each with page, paragraph and its exact words."""
