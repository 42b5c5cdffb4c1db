"""Keeps every piece with its history and publishes numbered releases. Never parses HTML."""
