"""The secondary ions of the simulated world: which phase sends out how many of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Species:
    """A secondary ion.

    Attributes
    ----------
    label : str
        Formula with charge.
    organic, inorganic, matrix, vanadium : float
        Relative yield from each phase of the layer (1). Dissolved vanadium and the substrate share one yield, so that
        the level in the layer over the plateau is the dissolved amount.
    substrate : float
        Relative yield from the substrate (1).
    transient : float
        Excess at the very surface, relative to the steady yield (1).
    """

    label: str
    organic: float = 0.0
    inorganic: float = 0.0
    matrix: float = 0.0
    vanadium: float = 0.0
    substrate: float = 0.0
    transient: float = 0.0

    @property
    def weights(self) -> dict[str, float]:
        """Yield by phase."""
        return {
            "organic": self.organic,
            "inorganic": self.inorganic,
            "matrix": self.matrix,
            "vanadium": self.vanadium,
            "substrate": self.substrate,
        }


def _of_vanadium(label: str, strength: float) -> Species:
    return Species(label, vanadium=strength, substrate=strength, transient=-0.5)


SPECIES: tuple[Species, ...] = (
    Species("H-", 3.0, 0.5, 8.0, 0.0, 1.0, transient=1.2),
    Species("C-", 2.0, 0.0, 6.0, 0.0, 0.5, transient=0.6),
    Species("CH-", 1.0, 0.0, 6.0, 0.0, 0.3, transient=1.0),
    Species("O-", 3.0, 1.0, 5.0, 0.0, 14.0, transient=0.3),
    Species("OH-", 1.0, 1.0, 4.0, 0.0, 4.0, transient=0.8),
    Species("F-", 12.0, 12.0, 1.0, 0.0, 0.3, transient=-0.2),
    Species("C2-", 1.0, 0.0, 6.0, 0.0, 0.6, transient=0.4),
    Species("C2H-", 0.8, 0.0, 6.0, 0.0, 0.3, transient=0.8),
    Species("CN-", 1.5, 0.0, 3.0, 0.0, 0.2, transient=0.3),
    Species("CF-", 0.5, transient=0.2),
    Species("S-", 2.0, 0.0, 0.3, 0.0, 0.05, transient=0.2),
    Species("O2-", 0.5, 0.2, 0.3, 0.0, 1.5, transient=0.2),
    Species("Cl-", 0.3, 0.3, 0.3, 0.0, 0.2, transient=1.5),
    Species("C3-", 0.1, 0.0, 1.5, 0.0, 0.1, transient=0.3),
    Species("F2-", 0.5, 0.5, transient=0.0),
    Species("MgF-", inorganic=0.5),
    Species("SO-", 0.8, transient=0.2),
    Species("C4H-", 0.1, 0.0, 1.5, 0.0, 0.05, transient=0.5),
    Species("CF2-", 0.2, transient=0.2),
    _of_vanadium("V-", 3.0),
    Species("SF-", 0.4, transient=0.2),
    Species("NO3-", 0.0, 0.0, 0.12, 0.0, 0.0, transient=0.5),
    Species("MgF2-", inorganic=3.0, transient=-0.3),
    Species("C2F2-", 0.2, transient=0.2),
    Species("SO2-", 3.0, transient=0.3),
    _of_vanadium("VO-", 4.0),
    Species("SOF-", 0.5, transient=0.2),
    Species("CF3-", 2.5, transient=0.3),
    Species("MgF3-", inorganic=4.0, transient=-0.2),
    _of_vanadium("VO2-", 6.0),
    Species("SO2F-", 0.8, transient=0.2),
    Species("SO3-", 0.8, transient=0.3),
    _of_vanadium("VO3-", 4.0),
    Species("SO2CF3-", 4.0, transient=0.4),
    Species("NSO2CF3-", 0.6, transient=0.3),
)
"""Anions of a magnesium TFSI interphase on vanadium oxide, with the look-alikes SF-, SOF-, SO2F-, NO3-, C2F2-."""
