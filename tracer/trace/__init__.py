"""The trace file: `schema` says what is in it, `writer` grows it, `reader` reads it; the only code that knows HDF5."""
