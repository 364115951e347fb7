"""What any agent can look at and ask for: ours, one on a language model, or a foreign one."""
