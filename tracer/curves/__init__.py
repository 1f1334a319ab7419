"""Curves of training: read from traces, logs, tables and event files, and held against each other."""
