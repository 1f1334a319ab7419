"""PyTorch source, read and never run: what it uses, what that is called in MindSpore, and the call to write."""
