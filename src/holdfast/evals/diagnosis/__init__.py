"""The diagnosis suite: how often the right cause is ranked first, on the demo plant and on the Tennessee Eastman recordings."""
