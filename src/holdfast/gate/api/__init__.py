"""The one REST API that agents, console and people use."""
