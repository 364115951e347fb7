"""Decides: permit, ask or refuse, purely."""
