"""Readers of raw files, one file or folder a format, and the registry that picks one by content."""
