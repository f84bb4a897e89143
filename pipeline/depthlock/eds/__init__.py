"""STEM-EDS: line maps from spectrum images, profiles along the layer's normal, uniformity."""
