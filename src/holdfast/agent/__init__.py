"""The unprivileged process: it sees, explains and asks."""
