"""Reports: one graph of evidence from the gate's records, and the documents that are made of it."""
