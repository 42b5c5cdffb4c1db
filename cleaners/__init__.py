"""Turns the pages of one document into pieces (篇). Imports neither spiders nor corpus."""
