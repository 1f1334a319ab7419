"""Nets as a user writes them, one file for each framework."""
