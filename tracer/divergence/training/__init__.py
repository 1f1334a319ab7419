"""Training steps of two traces: the phases of each in the order in which they run, and the first that goes wrong."""
