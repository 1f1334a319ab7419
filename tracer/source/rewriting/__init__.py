"""From a use of torch to the call to write: a stretch. Its door is `suggest` in `suggesting.py`."""
