"""Layers of random output: what those of the reference drew, done again by those of the candidate."""
