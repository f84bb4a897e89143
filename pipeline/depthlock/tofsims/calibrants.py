"""Ions that nearly every TOF-SIMS spectrum holds: candidates for the mass calibration."""

from __future__ import annotations

from collections.abc import Iterable

from depthlock.model.ions import Ion

NEGATIVE = (
    "H-",
    "C-",
    "CH-",
    "CH2-",
    "O-",
    "OH-",
    "F-",
    "C2-",
    "C2H-",
    "CN-",
    "CNO-",
    "O2-",
    "S-",
    "SH-",
    "Cl-",
    "^37Cl-",
    "C3-",
    "C3H-",
    "C3H2-",
    "C4-",
    "C4H-",
    "C3N-",
    "C5-",
    "C5H-",
    "C6H-",
    "PO2-",
    "PO3-",
    "NO2-",
    "NO3-",
    "SO2-",
    "SO3-",
    "HSO4-",
    "SiO2-",
    "SiO2H-",
    "SiO3H-",
    "CHO2-",
    "C2HO-",
    "C2H3O2-",
    "F2-",
    "Br-",
    "^81Br-",
    "I-",
    "Au-",
    "Au2-",
    "Bi-",
    "Cs-",
)
"""Anions of organics, air, salts and common primary or sputter ions."""

POSITIVE = (
    "H+",
    "C+",
    "CH+",
    "CH2+",
    "CH3+",
    "NH4+",
    "Na+",
    "Mg+",
    "Al+",
    "Si+",
    "SiH+",
    "CHO+",
    "C2H3+",
    "C2H5+",
    "CH4N+",
    "K+",
    "^41K+",
    "Ca+",
    "C3H3+",
    "C3H5+",
    "C3H7+",
    "C2H3O+",
    "C2H6N+",
    "SiCH3+",
    "C4H7+",
    "C4H9+",
    "C3H8N+",
    "C5H7+",
    "C5H9+",
    "C6H5+",
    "C7H7+",
    "C3H9Si+",
    "C5H15OSi2+",
    "Li+",
    "^6Li+",
    "B+",
    "Cr+",
    "Mn+",
    "Fe+",
    "Ni+",
    "Co+",
    "Cu+",
    "^65Cu+",
    "Ga+",
    "^71Ga+",
    "Zn+",
    "In+",
    "Sn+",
    "Cs+",
    "Cs2+",
    "Bi+",
    "Au+",
    "Pb+",
    "C4H12N+",
    "C5H14N+",
    "Ti+",
    "V+",
    "TiO+",
    "VO+",
)
"""Cations of organics, silicones, alkali and common metals, primary and sputter ions."""


def calibrant_ions(session: Iterable[Ion], polarity: str) -> list[Ion]:
    """Session ions and generic ones of a polarity, each mass once, session ions first."""
    ions: dict[float, Ion] = {}
    generic = [Ion.parse(label) for label in (NEGATIVE if polarity == "-" else POSITIVE)]
    sign = -1 if polarity == "-" else 1
    for ion in [*session, *generic]:
        if ion.charge * sign > 0:
            ions.setdefault(round(ion.mz, 5), ion)
    return list(ions.values())
