"""At most once, then reconcile: the saga of a write."""
