"""Where NaN and Inf are born."""
