"""Masses and isotope patterns of simulated ions, from a small table of its own.

The analysis takes its masses from a library; the simulator has its own table, so that a wrong mass shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

ELECTRON_MASS = 5.48579909e-4
"""Mass of the electron in Da."""

ISOTOPES: dict[str, tuple[tuple[float, float], ...]] = {
    "H": ((1.00782503223, 0.999885), (2.01410177812, 0.000115)),
    "C": ((12.0, 0.9893), (13.00335483507, 0.0107)),
    "N": ((14.00307400443, 0.99636), (15.00010889888, 0.00364)),
    "O": ((15.99491461957, 0.99757), (16.99913175650, 0.00038), (17.99915961286, 0.00205)),
    "F": ((18.99840316273, 1.0),),
    "Mg": ((23.985041697, 0.7899), (24.985836976, 0.1000), (25.982592968, 0.1101)),
    "S": ((31.9720711744, 0.9499), (32.9714589098, 0.0075), (33.967867004, 0.0425), (35.96708071, 0.0001)),
    "Cl": ((34.968852682, 0.7576), (36.965902602, 0.2424)),
    "V": ((50.94395704, 0.99750), (49.94715601, 0.00250)),
}
"""Mass in Da and natural abundance of each isotope (AME 2016, IUPAC 2013)."""

_ATOM = re.compile(r"([A-Z][a-z]?)(\d*)")


@dataclass(frozen=True)
class IsotopeLine:
    """One mass of an anion.

    Attributes
    ----------
    mz : float
        m/z in Da, electron included.
    share : float
        Part of all ions of this formula.
    """

    mz: float
    share: float


@lru_cache(maxsize=512)
def anion_lines(label: str, minimum: float = 1e-4) -> tuple[IsotopeLine, ...]:
    """Isotope lines of a singly charged anion, the most abundant isotopes' line first.

    Parameters
    ----------
    label : str
        Such as ``MgF2-``.
    minimum : float
        Lines below this share are left out, and the rest is not rescaled.

    Raises
    ------
    ValueError
        When the label is no anion of the elements in the table.
    """
    atoms = _ATOM.findall(label.removesuffix("-"))
    if not label.endswith("-") or "".join(a + n for a, n in atoms) != label[:-1]:
        raise ValueError(f"'{label}' is no anion that can be simulated")
    lines = [(ELECTRON_MASS, 1.0)]
    for symbol, count in atoms:
        if symbol not in ISOTOPES:
            raise ValueError(f"element '{symbol}' of '{label}' has no isotopes in the simulator's table")
        for _ in range(int(count or 1)):
            grown: dict[float, float] = {}
            for mass, share in lines:
                for isotope_mass, abundance in ISOTOPES[symbol]:
                    key = round(mass + isotope_mass, 9)
                    grown[key] = grown.get(key, 0.0) + share * abundance
            lines = [(mass, share) for mass, share in grown.items() if share > minimum * 0.01]
    main = monoisotopic_mz(label)
    kept = [IsotopeLine(mass, share) for mass, share in lines if share >= minimum]
    return tuple(sorted(kept, key=lambda line: (abs(line.mz - main) > 1e-6, line.mz)))


def monoisotopic_mz(label: str) -> float:
    """m/z in Da of an anion made of the most abundant isotope of each element."""
    atoms = _ATOM.findall(label.removesuffix("-"))
    strongest = {symbol: max(ISOTOPES[symbol], key=lambda line: line[1])[0] for symbol, _ in atoms}
    return ELECTRON_MASS + sum(strongest[symbol] * int(count or 1) for symbol, count in atoms)
