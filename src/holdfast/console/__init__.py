"""Pages for people; a client of the gate's API."""
