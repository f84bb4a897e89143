"""Formulas that could be taken for an ion: generated from the session's elements and common contaminants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from depthlock.model.ions import ELECTRON_MASS, Ion

CONTAMINANTS = ("H", "C", "N", "O", "F", "Na", "Si", "P", "S", "Cl")
"""Elements that turn up in nearly every spectrum, whatever the sample."""

_ORGANIC = frozenset("HCNO")
_NONMETALS = frozenset(("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I"))

_LIGHT_LIMIT = 5
"""Most atoms of hydrogen looked for."""

_MINOR_ISOTOPES = {
    "C": (("^13C", 0.0108),),
    "Si": (("^29Si", 0.0508), ("^30Si", 0.0335)),
    "S": (("^34S", 0.0447),),
    "Cl": (("^37Cl", 0.3199),),
    "Mg": (("^25Mg", 0.1266), ("^26Mg", 0.1394)),
    "V": (("^50V", 0.0025),),
    "Cu": (("^65Cu", 0.4457),),
}
"""Heavier or lighter isotopes that make look-alikes, with their abundance over the main isotope's (IUPAC 2013)."""


@dataclass(frozen=True)
class Lookalike:
    """An ion near another.

    Attributes
    ----------
    label : str
    mz : float
        In Da.
    cost : float
        How far-fetched it is: atoms, kinds of elements, elements the session does not name, rare isotopes.
    parent_mz, abundance : float
        For one with a minor isotope: m/z in Da of the same ion with the main isotope, and how much rarer it is; else 0.
    """

    label: str
    mz: float
    cost: float
    parent_mz: float = 0.0
    abundance: float = 0.0


def lookalikes(ion: Ion, elements: Iterable[str], width: float) -> list[Lookalike]:
    """Ions of the same charge within `width` of an ion's m/z, the most plausible first.

    Parameters
    ----------
    ion : Ion
    elements : iterable of str
        Elements of the session.
    width : float
        Largest distance in Da.

    Returns
    -------
    list of Lookalike
        Without the ion itself.
    """
    named = frozenset(elements) | frozenset(ion.elements)
    most = max(sum(ion.elements.values()), 3) + 1
    near = formulas_near(ion.mz, ion.charge, named, width, most)
    near = [one for one in near if abs(one.mz - ion.mz) >= 1e-5]
    return sorted(near, key=lambda one: (one.cost, abs(one.mz - ion.mz)))


def formulas_near(
    mz: float,
    charge: int,
    elements: Iterable[str],
    width: float,
    most: int,
    hydrogens: int = _LIGHT_LIMIT,
    contaminants: bool = True,
) -> list[Lookalike]:
    """Ions of a charge within `width` of an m/z, the most plausible first.

    Parameters
    ----------
    mz : float
        In Da.
    charge : int
        In elementary charges, with its sign.
    elements : iterable of str
        Elements that are thought to be there; others cost more.
    width : float
        Largest distance in Da.
    most, hydrogens : int
        Most atoms beside hydrogen, and of hydrogen.
    contaminants : bool
        Whether common contaminants are looked for, too.
    """
    named = frozenset(elements)
    pool = tuple(sorted(named | frozenset(CONTAMINANTS) if contaminants else named))
    result = []
    for counts, isotope, place in _enumerate(
        pool, round(mz, 6), round(width, 6), most, 1 if charge > 0 else -1, abs(charge), hydrogens
    ):
        parent, ratio = 0.0, 0.0
        if isotope:
            main = _main(isotope)
            ratio = dict(_MINOR_ISOTOPES[main])[isotope] * counts[pool.index(main)]
            parent = place - _isotope_shift(main, isotope) / abs(charge)
        label = _label(pool, counts, isotope, charge)
        result.append(Lookalike(label, place, _cost(pool, counts, isotope, named), parent, ratio))
    return sorted(result, key=lambda one: (one.cost, abs(one.mz - mz)))


@lru_cache(maxsize=64)
def _atom_masses(pool: tuple[str, ...]) -> tuple[float, ...]:
    from molmass import Formula

    return tuple(float(Formula(symbol).isotope.mass) for symbol in pool)


@lru_cache(maxsize=32)
def _isotope_shift(symbol: str, isotope: str) -> float:
    from molmass import Formula

    return float(Formula(f"[{isotope[1:]}]").isotope.mass) - float(Formula(symbol).isotope.mass)


@lru_cache(maxsize=1024)
def _enumerate(
    pool: tuple[str, ...], mz: float, width: float, most: int, sign: int, charge: int, hydrogens: int
) -> tuple[tuple[tuple[int, ...], str, float], ...]:
    """Compositions whose m/z lies within `width`, plain and with one atom of a minor isotope."""
    masses = _atom_masses(pool)
    neutral = mz * charge + sign * charge * ELECTRON_MASS
    shifts = [("", 0.0)]
    for symbol in pool:
        shifts += [(isotope, _isotope_shift(symbol, isotope)) for isotope, _ in _MINOR_ISOTOPES.get(symbol, ())]
    found = []
    order = sorted(range(len(pool)), key=lambda k: -masses[k])
    for isotope, shift in shifts:
        target = neutral - shift
        for counts in _compose(order, masses, pool, target, width * charge, most, hydrogens):
            if isotope and counts[pool.index(_main(isotope))] == 0:
                continue
            total = sum(n * m for n, m in zip(counts, masses, strict=True)) + shift
            found.append((counts, isotope, (total - sign * charge * ELECTRON_MASS) / charge))
    return tuple(found)


def _main(isotope: str) -> str:
    return isotope.lstrip("^0123456789")


def _compose(
    order: list[int],
    masses: tuple[float, ...],
    pool: tuple[str, ...],
    target: float,
    width: float,
    most: int,
    hydrogens: int,
) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    counts = [0] * len(pool)

    def descend(place: int, rest: float, atoms: int) -> None:
        if place == len(order):
            if abs(rest) <= width and any(counts):
                found.append(tuple(counts))
            return
        k = order[place]
        limit = hydrogens if pool[k] == "H" else most - atoms
        for n in range(min(limit, int((rest + width) / masses[k])) + 1):
            counts[k] = n
            descend(place + 1, rest - n * masses[k], atoms + (0 if pool[k] == "H" else n))
        counts[k] = 0

    descend(0, target, 0)
    return found


def composition_cost(counts: Mapping[str, int], named: frozenset[str]) -> float:
    """How far-fetched a composition is: kinds of elements, atoms, unnamed elements, clusters of metal atoms."""
    cost, metals = 0.0, 0
    for symbol, n in counts.items():
        if n:
            cost += 1.0 + (0.6 if symbol == "H" else 0.5) * n + 0.5 * max(n - 3, 0)
            cost += 0.0 if symbol in named or symbol in _ORGANIC else 1.5
            metals += 0 if symbol in _NONMETALS else n
    return cost + 2.5 * max(metals - 1, 0)


def _cost(pool: tuple[str, ...], counts: tuple[int, ...], isotope: str, named: frozenset[str]) -> float:
    cost = composition_cost(dict(zip(pool, counts, strict=True)), named)
    return cost + (2.0 if isotope else 0.0)


def _label(pool: tuple[str, ...], counts: tuple[int, ...], isotope: str, charge: int) -> str:
    text = ""
    for symbol, n in sorted(zip(pool, counts, strict=True), key=lambda pair: _ORDER.get(pair[0], 0)):
        left = n
        if isotope and symbol == _main(isotope):
            text += isotope
            left -= 1
        if left:
            text += symbol + (str(left) if left > 1 else "")
    return text + ("+" if charge > 0 else "-") + (str(abs(charge)) if abs(charge) > 1 else "")


_ORDER = {"Na": 0, "Mg": 0, "Si": 1, "P": 1, "C": 2, "N": 3, "S": 4, "H": 7, "O": 5, "Cl": 6, "F": 6}
"""Where an element stands in a label; metals first, halogens and hydrogen last."""
