"""Models: `bundles` are what this box has, `serving` asks an endpoint, `registers` and `requests` are the micro-models of the release."""
