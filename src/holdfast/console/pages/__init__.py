"""One page, one file: each has `routes()`, and a template of the same name."""
