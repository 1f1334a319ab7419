"""What both nets must share before they can be compared: weights, samples, modes, randomness."""
