"""Models of this box: bundles, which of them serves which role, what fits, and what is running."""
