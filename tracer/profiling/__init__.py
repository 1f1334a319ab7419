"""Where the time goes: the calls of one net, or of two nets layer beside layer, and the work in each."""
