"""People and agents."""
