"""Chemistry libraries: core levels, states, ions and sensitivity factors, each with its source."""
