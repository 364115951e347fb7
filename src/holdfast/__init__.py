"""Holdfast: an on-premises runtime for industrial AI agents with bounded autonomy."""
