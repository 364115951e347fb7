"""What this box can run models on: one probe, one file, and `found` asks them all."""
