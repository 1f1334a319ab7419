"""Where the time goes: the times of two nets, layer beside layer."""
