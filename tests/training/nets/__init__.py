"""Nets of the training twins that the twins of single calls lack."""
