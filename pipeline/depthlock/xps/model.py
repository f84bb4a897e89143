"""The numerical model of an etch series: what its lines, backgrounds and charge shifts are made of.

A *block* is one measured energy window over all levels, or several overlapping ones (its *segments*, with their own
straight backgrounds but common components); it may hold several core levels. A *group* is a set of blocks that share
one rigid charge shift a level. For level l and energy E, with d the level's shift::

    m(E) = sum_k A_lk sum_j q_j [ S_j + h_lr C_j + t_lr T_j ](E - d_l - p_j) + fixed(E) + b0_ls + b1_ls x_s(E)

S is the unit line, C its cumulative (the active Shirley step of height h per area, one a core level r: electrons of
V 2p and O 1s do not lose energy alike), T its Tougaard tail of strength t where the background asks for one, q the
share of the component's area in line j (1 for singlets, 1/(1+r) and r/(1+r) for doublets). Positions, splittings,
widths and mixing are *shared* by all levels; A, b0, b1, h, t and d are the level's own, as are deviations from shared
parameters that a session sets free. `depthlock.xps.evaluation` evaluates it, with analytic derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from depthlock.xps.links import Links
from depthlock.xps.shapes import FloatArray

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Lines:
    """The lines of a block, one entry a line; indices of shared parameters are into the group's vector.

    Attributes
    ----------
    component : ndarray of int
        Component (in the block) that owns the line.
    share : ndarray
        Part of the component's area in this line, 1.
    position, width, mixing : ndarray of int
        Shared parameters.
    splitting : ndarray of int
        Shared parameter that is added to the position; -1 for none.
    tail : ndarray of int
        Shared parameter that is the share of short tails of a `pseudo_voigt`; -1 for none.
    shape : tuple of str
        As `depthlock.model.line_shapes.parse_shape` reads it; the mixing of shapes with numbers has no effect.
    """

    component: IntArray
    share: FloatArray
    position: IntArray
    width: IntArray
    mixing: IntArray
    splitting: IntArray
    tail: IntArray
    shape: tuple[str, ...]

    def energies(self, shared: FloatArray) -> FloatArray:
        """Position of every line, eV; the shared parameters stand along the last axis."""
        return np.asarray(shared[..., self.position] + np.where(self.splitting >= 0, shared[..., self.splitting], 0.0))

    def tails(self, shared: FloatArray) -> FloatArray:
        """Share of short tails of every line, 1."""
        return np.asarray(np.where(self.tail >= 0, shared[self.tail], 0.0))


@dataclass(frozen=True)
class Block:
    """One measured window.

    Attributes
    ----------
    key : str
        Name of the spectra it comes from.
    energy : ndarray (points,)
        Binding energy as measured, ascending in each segment, eV.
    segment : ndarray (points,) of int
        Window that a point belongs to, ascending from 0.
    rate : ndarray (levels, points)
        Intensity, counts/s.
    exposure : ndarray (levels, points)
        Variance of the rate is rate/exposure times the noise scale, s.
    labels : tuple of str
        Component labels `region/component`.
    region : ndarray of int
        Core level of every component, numbered in the block.
    lines : Lines
    fixed : ndarray (levels, points)
        Background that is not fitted (static Shirley), counts/s; zeros otherwise.
    step, slope, offset : bool
        Whether the active Shirley step, the linear slope and the constant are fitted.
    measured : ndarray (levels,) of bool
        Levels that were measured; the others have no weight.
    loss : tuple of float or None
        Tougaard's C, D and T0 where the components raise loss tails of fitted strength.
    freed : ndarray (F,) of int
        Shared parameters that every level may deviate from, by about `freed_std` and at least `freed_lower` (in their
        units).
    """

    key: str
    energy: FloatArray
    segment: IntArray
    rate: FloatArray
    exposure: FloatArray
    labels: tuple[str, ...]
    region: IntArray
    lines: Lines
    fixed: FloatArray
    step: bool
    slope: bool
    offset: bool
    measured: NDArray[np.bool_]
    loss: tuple[float, float, float] | None = None
    freed: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    freed_std: FloatArray = field(default_factory=lambda: np.zeros(0))
    freed_lower: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def components(self) -> int:
        """Number of components."""
        return len(self.labels)

    @property
    def level_parameters(self) -> int:
        """Areas, offsets, slopes, deviations, losses, steps: in this order, whether or not the steps are fitted."""
        return int(self.losses.stop) + self.regions

    @property
    def first_deviation(self) -> int:
        """Where the deviations from freed parameters begin among the level parameters."""
        return self.components + 2 * self.segments

    @property
    def deviations(self) -> slice:
        """Deviations from freed parameters among the level parameters."""
        return slice(self.first_deviation, self.first_deviation + self.freed.size)

    @property
    def losses(self) -> slice:
        """Strengths of the core levels' loss tails among the level parameters; empty where there are none."""
        return slice(self.deviations.stop, self.deviations.stop + (0 if self.loss is None else self.regions))

    @property
    def segments(self) -> int:
        """Number of windows."""
        return int(self.segment[-1]) + 1

    @property
    def regions(self) -> int:
        """Number of core levels."""
        return int(self.region.max()) + 1

    @property
    def straight(self) -> FloatArray:
        """Columns of the straight backgrounds, (points, 2 x segments): offsets, then slopes from -1 to 1."""
        columns = np.zeros((self.energy.size, 2 * self.segments))
        for number in range(self.segments):
            own = self.segment == number
            energy = self.energy[own]
            if self.offset:
                columns[own, number] = 1.0
            if self.slope:
                columns[own, self.segments + number] = (2.0 * energy - energy[0] - energy[-1]) / np.ptp(energy)
        return columns

    @property
    def shared(self) -> IntArray:
        """Shared parameters that the block depends on, sorted."""
        lines = self.lines
        every = np.concatenate([lines.position, lines.width, lines.mixing, lines.splitting, lines.tail])
        return np.unique(every[every >= 0])


@dataclass(frozen=True)
class Shared:
    """The shared parameters of a group: names, weak priors from the library, and bounds; all (n,).

    `fixed` ones are held (the gauge of the energy axis). `shift_mean` and `shift_std` (levels,) are the prior of the
    charge shifts, eV; a standard deviation of zero holds a shift. `links` are the ties of the session; tied parameters
    have no prior and no bounds of their own.
    """

    names: tuple[str, ...]
    mean: FloatArray
    std: FloatArray
    lower: FloatArray
    upper: FloatArray
    fixed: NDArray[np.bool_]
    shift_mean: FloatArray
    shift_std: FloatArray
    links: Links | None = None

    @property
    def held(self) -> NDArray[np.bool_]:
        """Parameters that are not fitted themselves: fixed or tied."""
        return self.fixed if self.links is None else self.fixed | self.links.shared_tied


@dataclass
class State:
    """Parameter values of a group.

    Attributes
    ----------
    shared : ndarray (n_shared,)
    shift : ndarray (levels,)
        Charge shift, eV.
    level : list of ndarray (levels, level parameters)
        Per block: K areas (counts/s eV), offsets and slopes (counts/s) of S segments, deviations from F freed shared
        parameters, strengths of the loss tails (1, the universal one) and steps (1/eV) of R core levels.
    """

    shared: FloatArray
    shift: FloatArray
    level: list[FloatArray]

    def copy(self) -> State:
        """A deep copy."""
        return State(self.shared.copy(), self.shift.copy(), [values.copy() for values in self.level])
