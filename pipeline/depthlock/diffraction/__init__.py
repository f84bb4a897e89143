"""Diffraction and GIWAXS: rings on azimuth, and the texture of named reflections."""
