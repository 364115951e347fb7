"""The demo plant: a cold-rolling stand and an annealing section."""
