"""The core levels of the simulated world: chemical states, where they are, and which phase holds how many atoms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """A chemical state of a core level.

    Attributes
    ----------
    name : str
        As in the results, for instance ``MgF2``.
    position_ev : float
        Binding energy of the (stronger) line in eV, with C-C at 284.8 eV.
    fwhm_ev : float
        Its FWHM in eV.
    atoms : dict
        Atoms by phase, in units of a formula unit (1).
    lorentzian : float
        Lorentzian share of the pseudo-Voigt sum (1).
    splitting_ev, width_ratio : float
        Distance in eV of a doublet's weaker line, and its width over the stronger one's; no doublet when 0.
    """

    name: str
    position_ev: float
    fwhm_ev: float
    atoms: dict[str, float]
    lorentzian: float = 0.3
    splitting_ev: float = 0.0
    width_ratio: float = 1.0


@dataclass(frozen=True)
class CoreLevel:
    """A core level.

    Attributes
    ----------
    name, element : str
        ``F 1s`` and ``F``.
    sensitivity : float
        Scofield's relative sensitivity factor of the whole level, C 1s = 1.
    window_ev : tuple of float
        Measured binding energies in eV.
    states : tuple of State
        Chemical states.
    shirley : float
        Step of the background behind a peak over the peak's area, in 1/eV.
    background : tuple of float
        Background in counts/s at the middle of the window, and its slope in counts/s/eV.
    """

    name: str
    element: str
    sensitivity: float
    window_ev: tuple[float, float]
    states: tuple[State, ...]
    shirley: float = 0.02
    background: tuple[float, float] = (2000.0, 10.0)


_V_SPLITTING = 7.4

CORE_LEVELS: tuple[CoreLevel, ...] = (
    CoreLevel(
        "F 1s",
        "F",
        4.43,
        (678.0, 696.0),
        (
            State("MgF2", 685.6, 1.65, {"inorganic": 2.0}),
            State("CF3", 688.7, 1.80, {"organic": 3.0}),
        ),
        shirley=0.015,
        background=(3000.0, 15.0),
    ),
    CoreLevel(
        "O 1s",
        "O",
        2.93,
        (524.0, 541.0),
        (
            State("V-O", 530.1, 1.40, {"vanadium": 5.0, "substrate": 5.0}),
            State("C-O", 532.3, 1.85, {"organic": 2.0, "matrix": 1.5}),
        ),
        shirley=0.02,
        background=(2500.0, 20.0),
    ),
    CoreLevel(
        "V 2p",
        "V",
        9.66,
        (507.0, 528.0),
        (
            State("V5+", 517.4, 1.45, {"vanadium": 0.2, "substrate": 1.5}, 0.3, _V_SPLITTING, 1.7),
            State("V4+", 516.2, 1.65, {"vanadium": 1.0, "substrate": 0.4}, 0.3, _V_SPLITTING, 1.6),
            State("V3+", 514.8, 2.10, {"vanadium": 0.8, "substrate": 0.1}, 0.3, _V_SPLITTING, 1.4),
        ),
        shirley=0.03,
        background=(2200.0, 10.0),
    ),
    CoreLevel(
        "C 1s",
        "C",
        1.0,
        (278.0, 299.0),
        (
            State("C-C", 284.8, 1.35, {"matrix": 3.0, "substrate": 1.5}),
            State("C-O", 286.4, 1.55, {"matrix": 2.0}),
            State("CF3", 292.7, 1.60, {"organic": 1.0}),
        ),
        shirley=0.01,
        background=(900.0, 4.0),
    ),
    CoreLevel(
        "Mg 1s",
        "Mg",
        11.18,
        (1298.0, 1312.0),
        (State("Mg2+", 1304.9, 1.80, {"inorganic": 1.0}),),
        shirley=0.02,
        background=(5000.0, 30.0),
    ),
    CoreLevel(
        "S 2p",
        "S",
        1.68,
        (161.0, 177.0),
        (State("SO2CF3", 168.9, 1.50, {"organic": 1.0}, 0.3, 1.18, 1.0),),
        shirley=0.01,
        background=(500.0, 3.0),
    ),
    CoreLevel(
        "N 1s",
        "N",
        1.80,
        (393.0, 406.0),
        (State("TFSI", 399.5, 1.55, {"organic": 0.4, "matrix": 0.3}),),
        shirley=0.01,
        background=(1200.0, 5.0),
    ),
)
"""States of a magnesium TFSI interphase on vanadium oxide; energies as in the library's sources, C-C at 284.8 eV."""
