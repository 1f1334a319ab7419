"""The same nets written by hand in torch and in MindSpore, faults planted in them, and what a right verdict says."""
