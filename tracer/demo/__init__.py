"""A tour on two small nets: a Vision Transformer in PyTorch and its port to MindSpore, with one classic slip."""
