"""depthlock: TOF-SIMS, XPS and TEM of one interphase on one depth axis, with honest errors."""

__version__ = "0.1.0"
