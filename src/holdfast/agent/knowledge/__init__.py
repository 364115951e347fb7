"""Failure modes as data."""
