"""Peers that are not our code: servers and clients of other projects, fetched or compiled where they are needed, never shipped."""
