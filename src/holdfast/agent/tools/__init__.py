"""What an agent may read with."""
