"""Fusion: the depth scale, layer profiles freed from the depth response, interlocking measures, samples compared."""
