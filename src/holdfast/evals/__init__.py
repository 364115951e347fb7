"""Suites on recorded or seeded cases: how a figure is made."""
