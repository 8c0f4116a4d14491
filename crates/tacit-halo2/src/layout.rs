//! From a relation system and a trace to a sheet. The layout depends on the system alone: any trace of the right
//! lengths gives the same rows, fixed cells and copies.
//!
//! Instance rows, in order: the claim's digest as two 128-bit lanes; one commitment per committed segment (weights,
//! input, output, those that the system has); the public tensors in order of index, row-major.
//!
//! What pins each value:
//!
//! | tensor | pinned by |
//! | --- | --- |
//! | constant | coefficients in fixed columns, or cells fixed by the linear gate |
//! | public | equal to instance rows |
//! | weights, input, output | range-checked limb by limb at their exact width, packed, hashed; the digest equals an instance row |
//! | result of `Contraction` | the contraction's check at a challenge drawn after its cells are committed |
//! | result of `Affine`, `Product`, `Requant` | their gates, element by element |
//! | result of `Max`, `ArgMax` | range-checked differences, group by group |
//! | result of `Table` | a lookup, element by element |
//! | result of `Hint` | range-checked; which value it is, what reads it says |

mod selection;

use std::collections::HashMap;

use halo2curves::bn256::Fr;
use halo2curves::ff::{Field, PrimeField};
use tacit_digest::{Domain, PartShape, Salt, TreeShape, hash_bytes_to_lanes};
use tacit_relations::{Part, Relation, RelationSystem, Segment, Sizes, Statement, TensorId, Trace, View};

use crate::chips::contraction::{self, Element};
use crate::chips::linear::{self, Packer};
use crate::chips::requant::{self, Requant};
use crate::chips::{fr, poseidon};
use crate::shape::{CircuitShape, MAX_K};
use crate::sheet::{Cell, Ranged, Sheet};

/// Cells of all results: some sixteen to a row of the largest circuit, copies included.
const MAX_CELLS: usize = 1 << 26;

/// Why a system cannot be laid out in a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LayoutError {
    #[error("the limbs of some requantisation do not fit a row of this shape")]
    DoesNotFit,
    #[error("there are more values than rows of the largest circuit")]
    TooLarge,
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// A kind of relation that has no chip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the halo2 engine cannot prove {0} yet: use --engine sumcheck")]
pub struct Unsupported(pub &'static str);

/// Whether every relation has a chip.
pub(crate) fn supported(system: &RelationSystem) -> Result<(), Unsupported> {
    system.relations().iter().try_for_each(|r| match r {
        Relation::Contraction { .. }
        | Relation::Affine { .. }
        | Relation::Product { .. }
        | Relation::Requant { .. }
        | Relation::Range { .. }
        | Relation::Table { .. }
        | Relation::Max { .. }
        | Relation::ArgMax { .. }
        | Relation::Hint { .. } => Ok(()),
        // `Relation` is open for more kinds; an unknown one must not be skipped.
        other => Err(Unsupported(other.kind())),
    })
}

/// Which tensors go through the weight lane, and the contraction that owns each.
#[derive(Debug, Clone, Default)]
pub(crate) struct LanePlan {
    /// Width of the lane's weights; 0 without lane.
    pub(crate) width: u8,
    /// Index of the owning relation by tensor.
    pub(crate) owner: HashMap<TensorId, usize>,
    /// Whether the circuit needs rows that reuse a bound matrix.
    pub(crate) reuses: bool,
}

/// Sizes of a contraction; none of any other relation.
fn sizes(relation: &Relation) -> Sizes {
    let sizes = match relation {
        Relation::Contraction { a, c, grouping, .. } => grouping.sizes(a, c),
        _ => None,
    };
    sizes.unwrap_or(Sizes { batches: 0, rows: 0, depth: 0, columns: 0 })
}

/// A matrix goes through the lane when its only uses are as the right operand of contractions, whole, in order, and with
/// one number of rows.
pub(crate) fn lane_plan(system: &RelationSystem) -> LanePlan {
    let mut plan = LanePlan::default();
    let mut spoiled = Vec::new();
    for (index, r) in system.relations().iter().enumerate() {
        for v in r.operands() {
            let id = v.tensor;
            let spec = system.tensor(id);
            if spec.segment != Segment::Weights {
                continue;
            }
            // By identity: a bias may be the very same view of the same matrix, and is another use of it.
            let right = matches!(r, Relation::Contraction { a, c, .. }
                if std::ptr::eq(c, v) && a.tensor != id && sizes(r).batches == 1 && c.is_identity(spec.len()));
            // What is bound for one depth is of no use to another.
            let depth = |index: usize| sizes(&system.relations()[index]).depth;
            if right && depth(*plan.owner.entry(id).or_insert(index)) == depth(index) {
                continue;
            }
            spoiled.push(id);
        }
    }
    for id in spoiled {
        plan.owner.remove(&id);
    }
    let mut elements: HashMap<u8, usize> = HashMap::new();
    for id in plan.owner.keys() {
        *elements.entry(system.tensor(*id).width).or_default() += system.tensor(*id).len();
    }
    plan.width = elements.into_iter().max_by_key(|&(width, n)| (n, width)).map_or(0, |(width, _)| width);
    plan.owner.retain(|id, _| system.tensor(*id).width == plan.width);
    plan.reuses = system.relations().iter().enumerate().any(|(index, r)| match r {
        Relation::Contraction { c, .. } => {
            let lane_once = plan.owner.get(&c.tensor) == Some(&index) && sizes(r).rows == 1;
            !lane_once
        }
        _ => false,
    });
    plan
}

/// The public values of a statement, in instance order.
pub(crate) fn instance(statement: &Statement) -> Option<Vec<Fr>> {
    let mut rows: Vec<Fr> = hash_bytes_to_lanes(statement.binding).to_vec();
    for segment in Segment::COMMITTED {
        if let Some(commitment) = statement.commitments.get(&segment) {
            let bytes: [u8; 32] = commitment.0.as_slice().try_into().ok()?;
            rows.push(tacit_digest::Digest::from_bytes(&bytes).ok()?.element());
        }
    }
    for id in statement.system.segment(Segment::Public) {
        rows.extend(statement.public.get(&id)?.iter().map(|v| fr(*v)));
    }
    Some(rows)
}

/// Length of the instance column of every statement of a system.
pub(crate) fn instance_rows(system: &RelationSystem) -> usize {
    let committed = Segment::COMMITTED.into_iter().filter(|s| system.segment(*s).next().is_some()).count();
    let public: usize = system.segment(Segment::Public).map(|id| system.tensor(id).len()).sum();
    2 + committed + public
}

/// The digest domain of a committed segment.
pub(crate) fn domain(segment: Segment) -> Option<Domain> {
    match segment {
        Segment::Weights => Some(Domain::Weights),
        Segment::Input => Some(Domain::Input),
        Segment::Output => Some(Domain::Output),
        Segment::Constant | Segment::Public | Segment::Witness => None,
    }
}

/// Lays `system` out with the values of `trace`; salts open the committed segments. A dry sheet only counts rows.
pub(crate) fn lay_out(
    system: &RelationSystem,
    shape: CircuitShape,
    witness: &Witness<'_>,
    dry: bool,
) -> Result<Sheet, LayoutError> {
    let mut layout = Layout {
        system,
        plan: lane_plan(system),
        sheet: Sheet::new(shape, dry),
        witness,
        homes: vec![None; system.tensors().len()],
        constants: HashMap::new(),
        numbers: HashMap::new(),
        bound: HashMap::new(),
        next_instance: 0,
    };
    layout.binding();
    layout.given();
    layout.relations()?;
    let packed = layout.contractions();
    layout.digests(packed);
    layout.publics();
    Ok(layout.sheet)
}

/// Values of the witness: all zero while a key is made.
#[derive(Clone, Copy)]
pub(crate) struct Witness<'a> {
    pub(crate) trace: Option<&'a Trace>,
    pub(crate) salts: &'a [(Segment, Salt)],
    pub(crate) binding: [u8; 32],
}

impl Witness<'_> {
    /// No values: for keys and for counting rows.
    pub(crate) const NONE: Witness<'static> = Witness { trace: None, salts: &[], binding: [0; 32] };

    fn get(&self, id: TensorId, element: usize) -> i64 {
        self.trace.map_or(0, |t| t.tensor(id).get(element).copied().unwrap_or(0))
    }
}

/// The packed elements of each part of a committed segment.
type Packed = (Segment, Vec<(Part, Vec<Cell>)>);

struct Layout<'a> {
    system: &'a RelationSystem,
    plan: LanePlan,
    sheet: Sheet,
    witness: &'a Witness<'a>,
    /// Cells of each tensor, once it has them.
    homes: Vec<Option<Vec<Cell>>>,
    /// Cells fixed to constants, by canonical bytes.
    constants: HashMap<[u8; 32], Cell>,
    /// Range-checked cells of committed tensors outside the lane.
    numbers: HashMap<TensorId, Vec<Ranged>>,
    /// Rows that hold `c_k` of lane matrices.
    bound: HashMap<TensorId, Vec<usize>>,
    next_instance: usize,
}

impl Layout<'_> {
    fn constant(&mut self, value: Fr) -> Cell {
        if let Some(cell) = self.constants.get(&value.to_repr()) {
            return *cell;
        }
        let cell = linear::fixed_cell(&mut self.sheet, value);
        self.constants.insert(value.to_repr(), cell);
        cell
    }

    fn bind(&mut self, cell: Cell) {
        self.sheet.bind_instance(cell, self.next_instance);
        self.next_instance += 1;
    }

    /// The claim's digest: cells tied to their instance rows.
    fn binding(&mut self) {
        let lanes = hash_bytes_to_lanes(self.witness.binding);
        for cell in linear::free_cells(&mut self.sheet, &lanes) {
            self.bind(cell);
        }
        // Commitments are bound when their digests are computed; their instance rows come next.
        self.next_instance +=
            Segment::COMMITTED.into_iter().filter(|s| self.system.segment(*s).next().is_some()).count();
    }

    /// Cells for what no relation defines: committed tensors outside the lane, and public tensors of the claim.
    fn given(&mut self) {
        let results: std::collections::HashSet<_> =
            self.system.relations().iter().filter_map(Relation::result).collect();
        for index in 0..self.system.tensors().len() {
            let id = TensorId(index as u32);
            let spec = self.system.tensor(id);
            match spec.segment {
                Segment::Weights | Segment::Input if !self.plan.owner.contains_key(&id) => {
                    let numbers: Vec<Ranged> = (0..spec.len())
                        .map(|i| linear::number(&mut self.sheet, self.witness.get(id, i), spec.width))
                        .collect();
                    self.homes[index] = Some(numbers.iter().map(|n| n.cell).collect());
                    self.numbers.insert(id, numbers);
                }
                Segment::Public if !results.contains(&id) => {
                    let values: Vec<Fr> = (0..spec.len()).map(|i| fr(self.witness.get(id, i))).collect();
                    self.homes[index] = Some(linear::free_cells(&mut self.sheet, &values));
                }
                _ => {}
            }
        }
    }

    /// Cells of a tensor; constants and unfinished contractions get theirs here.
    fn home(&mut self, id: TensorId) -> &[Cell] {
        let index = id.0 as usize;
        if self.homes[index].is_none() {
            let spec = self.system.tensor(id);
            let cells = if spec.segment == Segment::Constant {
                spec.constant.iter().map(|v| self.constant(fr(*v))).collect()
            } else {
                // The result of a contraction: pinned by the contraction's check. Nothing pins any other tensor here.
                let pinned = self
                    .system
                    .relations()
                    .iter()
                    .any(|r| matches!(r, Relation::Contraction { y, .. } if *y == id));
                assert!(pinned, "tensor {} is read before it has cells", id.0);
                let values: Vec<Fr> = (0..spec.len()).map(|i| fr(self.witness.get(id, i))).collect();
                linear::free_cells(&mut self.sheet, &values)
            };
            self.homes[index] = Some(cells);
        }
        self.homes[index].as_deref().unwrap_or(&[])
    }

    /// The cell that a view shows; padding is a cell fixed to zero.
    fn seen(&mut self, view: &View, flat: usize) -> Cell {
        match view.index(flat) {
            Some(at) => self.home(view.tensor)[at],
            None => self.constant(Fr::ZERO),
        }
    }

    /// Stops a layout that no circuit has room for, before it fills the memory: a system may come from anybody.
    fn room_for(&self, cells: usize) -> Result<(), LayoutError> {
        if cells > MAX_CELLS || self.sheet.rows() > 1 << MAX_K { Err(LayoutError::TooLarge) } else { Ok(()) }
    }

    fn relations(&mut self) -> Result<(), LayoutError> {
        let mut cells = 0usize;
        for r in self.system.relations() {
            let made = match r {
                Relation::Range { x, .. } => x.len(),
                // Its cells are those of its requantisation.
                Relation::Contraction { .. } => 0,
                _ => r.result().map_or(0, |y| self.system.tensor(y).len()),
            };
            cells = cells.saturating_add(made);
            self.room_for(cells)?;
            match r {
                Relation::Contraction { .. } => {}
                Relation::Affine { terms, offset, y } => self.affine(terms, *offset, *y),
                Relation::Product { a, c, y } => self.product(a, c, *y)?,
                Relation::Requant { x, shift, lo, hi, y } => {
                    let bounds = self.system.tensor(x.tensor).bounds;
                    let bounds = (bounds.0.min(0), bounds.1.max(0));
                    self.requant(x, Requant { shift: *shift, lo: *lo, hi: *hi, bounds }, *y)?;
                }
                Relation::Range { x, lo, hi } => {
                    for i in 0..x.len() {
                        self.room_for(0)?;
                        let cell = self.seen(x, i);
                        linear::range(&mut self.sheet, cell, *lo, *hi);
                    }
                }
                Relation::Table { x, first, values, y } => self.table(x, *first, values, *y),
                Relation::Max { x, y } => self.max(x, *y),
                Relation::Hint { lo, hi, y, .. } => self.hint(*y, *lo, *hi)?,
                Relation::ArgMax { x, y } => self.arg_max(x, *y),
                // `Relation` is open for more kinds; an unknown one must not be skipped.
                other => return Err(Unsupported(other.kind()).into()),
            }
        }
        Ok(())
    }

    fn affine(&mut self, terms: &[(i64, View)], offset: i64, y: TensorId) {
        let len = self.system.tensor(y).len();
        let mut cells = Vec::with_capacity(len);
        for i in 0..len {
            let mut constant = fr(offset);
            let mut parts = Vec::with_capacity(terms.len());
            for (coefficient, view) in terms {
                let Some(at) = view.index(i) else { continue };
                let spec = self.system.tensor(view.tensor);
                if spec.segment == Segment::Constant {
                    constant += fr(*coefficient) * fr(spec.constant[at]);
                } else {
                    parts.push((fr(*coefficient), self.home(view.tensor)[at]));
                }
            }
            cells.push(match parts[..] {
                // A plain copy needs no row of its own.
                [(c, cell)] if c == Fr::ONE && constant == Fr::ZERO => cell,
                _ => linear::combination(&mut self.sheet, &parts, constant),
            });
        }
        self.homes[y.0 as usize] = Some(cells);
    }

    fn product(&mut self, a: &View, c: &View, y: TensorId) -> Result<(), LayoutError> {
        let known = |v: &View| self.system.tensor(v.tensor).segment == Segment::Constant;
        let (fixed, other) = if known(c) {
            (Some(c), a)
        } else if known(a) {
            (Some(a), c)
        } else {
            (None, a)
        };
        let len = self.system.tensor(y).len();
        let mut cells = Vec::with_capacity(len);
        for i in 0..len {
            self.room_for(0)?;
            let left = self.seen(other, i);
            cells.push(match fixed {
                Some(v) => {
                    let factor = fr(v.get(&self.system.tensor(v.tensor).constant, i));
                    linear::combination(&mut self.sheet, &[(factor, left)], Fr::ZERO)
                }
                None => {
                    let right = self.seen(c, i);
                    let value = fr(self.witness.get(y, i));
                    linear::product(&mut self.sheet, left, right, value)
                }
            });
        }
        self.homes[y.0 as usize] = Some(cells);
        Ok(())
    }

    /// Cells of whatever values, range-checked: what reads them pins them.
    fn hint(&mut self, y: TensorId, lo: i64, hi: i64) -> Result<(), LayoutError> {
        let len = self.system.tensor(y).len();
        let mut cells = Vec::new();
        while cells.len() < len {
            self.room_for(0)?;
            // So many that only the last row has empty places.
            let next = cells.len()..len.min(cells.len() + (self.sheet.shape().slots << 10));
            let values: Vec<Fr> = next.map(|i| fr(self.witness.get(y, i))).collect();
            cells.extend(linear::free_cells(&mut self.sheet, &values));
            let new = cells.len() - values.len()..;
            cells[new].iter().for_each(|cell| linear::range(&mut self.sheet, *cell, lo, hi));
        }
        self.homes[y.0 as usize] = Some(cells);
        Ok(())
    }

    fn requant(&mut self, x: &View, rule: Requant, y: TensorId) -> Result<(), LayoutError> {
        if !rule.fits(&self.sheet) {
            return Err(LayoutError::DoesNotFit);
        }
        let source = self.system.tensor(x.tensor);
        // The first requantisation of a whole contraction's result makes that result's cells.
        let makes = self.homes[x.tensor.0 as usize].is_none()
            && source.segment != Segment::Constant
            && x.is_identity(source.len());
        let len = self.system.tensor(y).len();
        let (mut made, mut cells) = (Vec::new(), Vec::with_capacity(len));
        for i in 0..len {
            let operand = if makes {
                requant::Operand::New(fr(self.witness.get(x.tensor, i)))
            } else {
                requant::Operand::Cell(self.seen(x, i))
            };
            let (operand, result) = rule.assign(&mut self.sheet, operand, fr(self.witness.get(y, i)));
            made.push(operand);
            cells.push(result);
        }
        if makes {
            self.homes[x.tensor.0 as usize] = Some(made);
        }
        self.homes[y.0 as usize] = Some(cells);
        Ok(())
    }

    /// Every contraction's check, lane matrices in packing order first; returns the packed elements of each part of
    /// each committed segment.
    fn contractions(&mut self) -> Vec<Packed> {
        let mut packed = Vec::new();
        let mut done = vec![false; self.system.relations().len()];
        for segment in Segment::COMMITTED {
            let mut parts = Vec::new();
            for part in self.system.parts(segment) {
                let mut packer = Packer::new(part.width);
                for &id in &part.tensors {
                    if let Some(&index) = self.plan.owner.get(&id) {
                        self.contraction(index, Some(&mut packer));
                        done[index] = true;
                    } else {
                        let numbers = self.committed(id, part.width);
                        packer.push(&mut self.sheet, &numbers);
                    }
                }
                parts.push((part, packer.finish()));
            }
            if !parts.is_empty() {
                packed.push((segment, parts));
            }
        }
        for (index, done) in done.iter().enumerate() {
            if !done && matches!(self.system.relations()[index], Relation::Contraction { .. }) {
                self.contraction(index, None);
            }
        }
        packed
    }

    /// Range-checked cells of a committed tensor: those made when it was given, or new ones equal to a result.
    fn committed(&mut self, id: TensorId, width: u8) -> Vec<Ranged> {
        if let Some(numbers) = self.numbers.get(&id) {
            return numbers.clone();
        }
        let cells = self.home(id).to_vec();
        cells
            .into_iter()
            .enumerate()
            .map(|(i, cell)| {
                let number = linear::number(&mut self.sheet, self.witness.get(id, i), width);
                self.sheet.equal(number.cell, cell);
                number
            })
            .collect()
    }

    fn contraction(&mut self, index: usize, mut packer: Option<&mut Packer>) {
        let relation = &self.system.relations()[index];
        let Relation::Contraction { a, c, bias, y, .. } = relation else { return };
        let Sizes { batches, rows, depth, columns } = sizes(relation);
        let zero = self.constant(Fr::ZERO);
        for batch in 0..batches {
            let mut bound: Option<Vec<usize>> = self.bound.get(&c.tensor).cloned();
            for row in 0..rows {
                let a_cells: Vec<Cell> =
                    (0..depth).map(|k| self.seen(a, (batch * rows + row) * depth + k)).collect();
                let at = |n: usize| (batch * rows + row) * columns + n;
                let minus: Vec<Cell> =
                    (0..columns).map(|n| bias.as_ref().map_or(zero, |view| self.seen(view, at(n)))).collect();
                if let (Some(packer), None) = (packer.as_deref_mut(), &bound) {
                    contraction::begin(&mut self.sheet, Some(packer));
                    let rows: Vec<usize> = (0..depth)
                        .map(|k| {
                            let weights: Vec<i64> =
                                (0..columns).map(|n| self.witness.get(c.tensor, k * columns + n)).collect();
                            contraction::lane_row(&mut self.sheet, packer, &weights, a_cells[k])
                        })
                        .collect();
                    self.bound.insert(c.tensor, rows.clone());
                    bound = Some(rows);
                } else {
                    let rows = bound.get_or_insert_with(|| {
                        (0..depth)
                            .map(|k| {
                                let cells: Vec<Element> = (0..columns)
                                    .map(|n| Element::Cell(self.seen(c, (batch * depth + k) * columns + n)))
                                    .collect();
                                // `d` must pass through these rows from a defined start.
                                contraction::begin(&mut self.sheet, None);
                                contraction::copied(&mut self.sheet, &cells, &vec![zero; columns], false).0
                            })
                            .collect()
                    });
                    contraction::begin(&mut self.sheet, None);
                    for (k, from) in rows.iter().enumerate() {
                        contraction::dot(&mut self.sheet, a_cells[k], *from);
                    }
                }
                let result: Vec<Element> = match &self.homes[y.0 as usize] {
                    Some(cells) => (0..columns).map(|n| Element::Cell(cells[at(n)])).collect(),
                    None => (0..columns).map(|n| Element::New(fr(self.witness.get(*y, at(n))))).collect(),
                };
                let fresh = self.homes[y.0 as usize].is_none();
                let (_, cells) = contraction::copied(&mut self.sheet, &result, &minus, true);
                if fresh {
                    self.fresh_rows(*y, cells, (batch * rows + row) * columns);
                }
            }
        }
    }

    /// Collects the cells of a result that nothing has read so far.
    fn fresh_rows(&mut self, y: TensorId, cells: Vec<Cell>, start: usize) {
        let len = self.system.tensor(y).len();
        if start == 0 && cells.len() == len {
            self.homes[y.0 as usize] = Some(cells);
        } else {
            // Several rows: give the whole tensor its cells and tie these to them.
            let home = self.home(y).to_vec();
            for (cell, own) in cells.into_iter().zip(&home[start..]) {
                self.sheet.equal(cell, *own);
            }
        }
    }

    /// The salted Poseidon digest of every committed segment, equal to its instance row.
    fn digests(&mut self, packed: Vec<Packed>) {
        let publics = self.next_instance;
        self.next_instance = 2;
        for (segment, parts) in packed {
            let Some(domain) = domain(segment) else { continue };
            let shapes: Vec<PartShape> = parts
                .iter()
                .map(|(part, _)| PartShape {
                    width: part.width,
                    count: part.tensors.iter().map(|id| self.system.tensor(*id).len()).sum(),
                })
                .collect();
            let tree = TreeShape::new(&shapes)
                .expect("a system's widths are within 1..=62 and its sizes are bounded");
            let zero = self.constant(Fr::ZERO);
            let mut level = Vec::with_capacity(tree.leaf_count);
            for ((_, elements), shape) in parts.iter().zip(&shapes) {
                level.push(self.constant(shape.descriptor()));
                level.extend_from_slice(elements);
            }
            for calls in &tree.levels {
                level.resize(calls * tacit_digest::ARITY, zero);
                level = level
                    .chunks_exact(tacit_digest::ARITY)
                    .map(|group| poseidon::hash8(&mut self.sheet, zero, &std::array::from_fn(|i| group[i])))
                    .collect();
            }
            let salt = self
                .witness
                .salts
                .iter()
                .find(|(s, _)| *s == segment)
                .map_or([Fr::ZERO; 2], |(_, s)| s.lanes());
            let salt = linear::free_cells(&mut self.sheet, &salt);
            let (tag, meta) = (self.constant(domain.tag()), self.constant(tree.meta()));
            let digest = poseidon::hash8(
                &mut self.sheet,
                zero,
                &[tag, meta, salt[0], salt[1], level[0], zero, zero, zero],
            );
            self.bind(digest);
        }
        self.next_instance = publics;
    }

    /// Public tensors: every element equal to its instance row.
    fn publics(&mut self) {
        let ids: Vec<TensorId> = self.system.segment(Segment::Public).collect();
        for id in ids {
            for cell in self.home(id).to_vec() {
                self.bind(cell);
            }
        }
    }
}
