"""XPS in depth: one global fit of an etch series with an active background, and errors that hold."""
