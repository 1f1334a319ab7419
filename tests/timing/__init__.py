"""Times of calls. No test here holds a time against another: that is what `benchmarks/profiling.py` does."""
