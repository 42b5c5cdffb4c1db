"""Brings pages in: site files, frontier, polite crawl, archive.db. Never opens the corpus."""
