"""Which line of the user's code made a layer. Knows no framework; code is read, never run.

What can have put layers where they are is gathered from the classes and functions on the way, in the order in which it
runs, as a pattern: this one, then one of these two, then any number of that. The pattern is laid over the layers that
are really there, and of all ways in which it fits the best tells which expression made which layer: by classes, by
arguments written out, by how many there are. Where two lines fit equally well, none is named.
"""

from tracer.frameworks.making.makers import Makers

__all__ = ["Makers"]
