"""Pages for people. A client of the gate's API: it shows state, passes on a person's own acts, and decides nothing."""
