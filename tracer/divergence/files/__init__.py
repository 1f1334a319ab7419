"""Arrays that lie in folders: which file belongs to which, and which is the first in order that differs.

Nothing is known of layers here, nor of what fed what: a file has a name, perhaps a number, a shape, and its numbers.
"""

from tracer.divergence.files.folder import open_folder
from tracer.divergence.files.shelf import Shelf
from tracer.divergence.files.traced import traced
from tracer.divergence.files.verdict import diagnose_files

__all__ = ["Shelf", "diagnose_files", "open_folder", "traced"]
