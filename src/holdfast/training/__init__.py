"""Micro-models from generators."""
