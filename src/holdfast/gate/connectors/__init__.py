"""The plant's protocols."""
