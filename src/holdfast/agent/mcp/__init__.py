"""The door for agents that are not ours: the same tools over the Model Context Protocol, each with its own token."""
