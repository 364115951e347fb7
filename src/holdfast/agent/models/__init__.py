"""Models that an agent may use."""
