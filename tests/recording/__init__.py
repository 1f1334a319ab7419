"""Recording of torch nets."""
