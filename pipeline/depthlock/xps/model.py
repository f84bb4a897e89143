"""The numerical model of an etch series: lines, background and charge shift, with its Jacobian.

A *block* is one measured energy window over all levels, or several overlapping ones (its *segments*, with their own
straight backgrounds but common components); it may hold several core levels. A *group* is a set of blocks that share
one rigid charge shift a level. For level l and energy E, with d the level's shift::

    m(E) = sum_k A_lk sum_j q_j [ S_j + h_lr C_j + t_lr T_j ](E - d_l - p_j) + fixed(E) + b0_ls + b1_ls x_s(E)

S is the unit line, C its cumulative (the active Shirley step of height h per area, one a core level r: electrons of
V 2p and O 1s do not lose energy alike), T its Tougaard tail of strength t where the background asks for one, q the
share of the component's area in line j (1 for singlets, 1/(1+r) and r/(1+r) for doublets). Positions, splittings,
widths and mixing are *shared* by all levels; A, b0, b1, h, t and d are the level's own, as are deviations from shared
parameters that a session sets free. All derivatives are analytic.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from depthlock.model.line_shapes import FREE_MIXING, parse_shape
from depthlock.xps.background import loss_operator
from depthlock.xps.links import Links
from depthlock.xps.shapes import FloatArray, LineShape, pseudo_voigt, pseudo_voigt_sum
from depthlock.xps.tabulated import tabulated_family, tabulated_line

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


@dataclass(frozen=True)
class Curves:
    """What a block's model consists of, and optionally its Jacobian.

    Attributes
    ----------
    lines, steps : ndarray (levels, components, points)
        Per unit area: line (1/eV) and cumulative (1).
    model, background : ndarray (levels, points)
        counts/s.
    jacobian : ndarray (levels, points, level parameters + 1 + n_block_shared), or no columns when not asked for
        Columns: the level's parameters in their order, shift, then the block's shared parameters.
    """

    lines: FloatArray
    steps: FloatArray
    model: FloatArray
    background: FloatArray
    jacobian: FloatArray


def line_shape(name: str, distance: FloatArray, fwhm: FloatArray, mixing: float, tail: float = 0.0) -> LineShape:
    """One line of a named shape; mixing and tail have an effect on shapes that fit them."""
    if name == "pseudo_voigt":
        return pseudo_voigt(distance, fwhm, np.asarray(mixing), np.asarray(tail))
    form = parse_shape(name)
    if form.kind in FREE_MIXING:
        return tabulated_family(name).evaluate(distance, fwhm, mixing)
    if form.kind == "SGL":
        return pseudo_voigt_sum(distance, fwhm, form.numbers[0] / 100.0)
    return tabulated_line(name).evaluate(distance, fwhm)


def line_shapes(
    block: Block, shared: FloatArray, place: FloatArray, width: FloatArray, *, derivatives: bool
) -> LineShape:
    """All lines of a block, (levels, lines, points), at measured energies and with widths (levels, lines)."""
    from depthlock.xps.model_kernel import pseudo_voigt_lines

    lines = block.lines
    mixing, tail = shared[lines.mixing], lines.tails(shared)
    if all(name == "pseudo_voigt" for name in lines.shape):
        return pseudo_voigt_lines(block.energy, place, width, mixing, tail, derivatives=derivatives)
    distance = block.energy[None, None, :] - place[:, :, None]
    parts = [
        line_shape(name, distance[:, k], width[:, k, None], mixing[k], tail[k]) for k, name in enumerate(lines.shape)
    ]
    columns = (
        np.stack([np.broadcast_to(getattr(part, column.name), distance[:, 0].shape) for part in parts], axis=1)
        for column in fields(LineShape)
    )
    return LineShape(*columns)


def evaluate(
    block: Block, shared: FloatArray, shift: FloatArray, level: FloatArray, *, jacobian: bool = False
) -> Curves:
    """Evaluate a block.

    Parameters
    ----------
    block : Block
    shared : ndarray (n_shared,)
    shift : ndarray (levels,)
    level : ndarray (levels, level parameters)
    jacobian : bool
        Also build the Jacobian.

    Returns
    -------
    Curves
    """
    lines = block.lines
    count = block.components
    own = block.level_parameters
    first, first_step = block.first_deviation, own - block.regions
    areas, straight, steps = level[:, :count], level[:, count:first], level[:, first_step:]
    columns_straight = block.straight
    step = steps[:, block.region]
    at_levels = np.repeat(shared[None, :], level.shape[0], axis=0)
    at_levels[:, block.freed] += level[:, block.deviations]
    place, width = shift[:, None] + lines.energies(at_levels), at_levels[:, lines.width]
    shape = line_shapes(block, shared, place, width, derivatives=jacobian)
    membership = np.zeros((count, lines.component.size))
    membership[lines.component, np.arange(lines.component.size)] = lines.share
    density = np.matmul(membership, shape.density)
    cumulative = np.matmul(membership, shape.cumulative)
    raised = areas[:, :, None] * cumulative
    background = block.fixed + straight @ columns_straight.T + np.einsum("lk,lkp->lp", step, raised)
    operator, strength = np.zeros((0, 0)), np.zeros_like(step)
    if block.loss is not None:
        operator = loss_operator(block.energy, block.segment, block.loss).T
        strength = level[:, block.losses][:, block.region]
        lost = density @ operator
        background = background + np.einsum("lk,lkp->lp", strength * areas, lost)
    model = background + np.einsum("lk,lkp->lp", areas, density)
    if not jacobian:
        return Curves(density, cumulative, model, background, np.zeros((*model.shape, 0)))

    from depthlock.xps.model_kernel import add_line_derivatives

    used = block.shared
    columns = np.zeros((model.shape[0], own + 1 + used.size, model.shape[1]))
    columns[:, :count] = density + step[:, :, None] * cumulative
    columns[:, count:first] = columns_straight.T
    if block.step:
        for region in range(block.regions):
            columns[:, first_step + region] = raised[:, block.region == region].sum(axis=1)
    sources = (lines.position, lines.splitting, lines.width, lines.mixing, lines.tail)
    shared_places = [np.where(index >= 0, own + 1 + np.searchsorted(used, index), -1) for index in sources]
    rows = np.stack([np.full(lines.component.size, own), *shared_places])
    height, rise = areas[:, lines.component] * lines.share, step[:, lines.component]
    shapes = tuple(getattr(shape, column.name) for column in fields(LineShape))
    add_line_derivatives(columns, rows, place, block.energy, width, height, rise, shapes)
    if block.loss is not None:
        columns[:, :count] += strength[:, :, None] * lost
        for region in range(block.regions):
            inside = block.region == region
            columns[:, block.losses.start + region] = (areas[:, :, None] * lost)[:, inside].sum(axis=1)
        # What the lines' derivatives lose is the derivative of their tails.
        bare = np.zeros_like(columns)
        add_line_derivatives(
            bare, rows, place, block.energy, width, height * strength[:, lines.component], np.zeros_like(rise), shapes
        )
        columns += bare @ operator
    columns[:, block.deviations] = columns[:, own + 1 + np.searchsorted(used, block.freed)]
    return Curves(density, cumulative, model, background, np.swapaxes(columns, 1, 2))
