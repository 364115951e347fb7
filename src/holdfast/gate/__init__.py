"""The privileged process: it alone holds plant credentials and the record."""
