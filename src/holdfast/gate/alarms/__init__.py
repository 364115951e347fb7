"""The plant's own limits, watched by the gate."""
