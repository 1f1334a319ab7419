"""What nets are given: described and drawn, kept in files, found in traces, as tensors of a framework."""
