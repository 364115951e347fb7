"""Maintenance logs: what broke, how it showed, why, and what was done, read from the records that a plant already has."""
