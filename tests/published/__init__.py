"""Published nets against published ports: what the tracer says must be what a check by hand found."""
