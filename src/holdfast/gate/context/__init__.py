"""What the plant knows beside its tags."""
