"""The append-only, provable record."""
