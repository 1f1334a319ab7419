"""The whole check of a port: both nets found, recorded from one starting point, and judged."""
