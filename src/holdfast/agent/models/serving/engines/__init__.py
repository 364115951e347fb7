"""Engines: where a language model answers, one file a kind, all under `ports.Engine`."""
