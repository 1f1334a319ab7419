"""The tour that `tracer demo` takes a stranger on."""
