"""The amorphous layer in TEM images: lattice, crystal, boundaries, thickness."""
