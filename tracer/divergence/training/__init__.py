"""Training steps judged: what an optimizer means, what it was to do with what it was given, and what it did."""
