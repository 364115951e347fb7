"""Models that fit the box: micro-models that run anywhere, and what is needed to judge, choose and run larger ones."""
