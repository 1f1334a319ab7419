"""Folders of arrays."""
