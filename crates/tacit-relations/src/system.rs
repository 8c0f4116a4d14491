//! Tensors, segments and the system as a whole.

use sha2::{Digest as _, Sha256};

use crate::relation::{Grouping, HintRule, Relation};
use crate::view::View;

/// Index of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub u32);

/// Who knows a tensor and how it is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// Part of the architecture: known when the system is built.
    Constant,
    /// Part of the claim: the verifier knows the values.
    Public,
    /// Hidden, committed once, in the card.
    Weights,
    /// Hidden, committed per record or per data set.
    Input,
    /// Hidden result, committed in the claim.
    Output,
    /// Hidden, committed per proof.
    Witness,
}

impl Segment {
    /// The segments that carry a commitment of their own in the statement.
    pub const COMMITTED: [Self; 3] = [Self::Weights, Self::Input, Self::Output];
}

/// What the system says of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Shape; a tensor is exactly as large as its shape.
    pub shape: Vec<usize>,
    /// Inclusive bounds that follow from public facts alone.
    pub bounds: (i64, i64),
    /// Who knows it.
    pub segment: Segment,
    /// Signed width at which a committed tensor is packed; 0 for the others.
    pub width: u8,
    /// Values of a `Constant` tensor; empty for the others.
    pub constant: Vec<i64>,
}

impl TensorSpec {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element (a system refuses that).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A run of committed tensors of one width, packed one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Signed width of every element.
    pub width: u8,
    /// Tensors in packing order.
    pub tensors: Vec<TensorId>,
}

/// Most entries of a table.
const MAX_TABLE: usize = 1 << 20;

/// Relations over tensors: what a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationSystem {
    tensors: Vec<TensorSpec>,
    relations: Vec<Relation>,
}

/// Which rule a system breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemError {
    /// A tensor with no element, bounds out of order, or a width that does not hold its bounds.
    #[error("tensor {0} is ill-formed")]
    Tensor(usize),
    /// A relation whose operands do not fit.
    #[error("relation {index} ({kind}) is ill-formed")]
    Relation {
        /// Index of the relation.
        index: usize,
        /// Its kind.
        kind: &'static str,
    },
    /// A tensor is defined twice, read before it is defined, or never defined.
    #[error("tensor {0} is defined twice, read before it is defined, or never defined")]
    Order(usize),
    /// Magnitudes too large to be exact.
    #[error("tensor {0} could reach a magnitude that is not exact")]
    Magnitude(usize),
}

impl RelationSystem {
    /// Joins tensors and relations after checking every rule: sizes fit, every result is defined once and before it
    /// is read, hidden tensors are defined or committed, and no magnitude reaches 2^62.
    ///
    /// # Errors
    /// [`SystemError`] names the tensor or relation.
    pub fn new(tensors: Vec<TensorSpec>, relations: Vec<Relation>) -> Result<Self, SystemError> {
        use SystemError as E;
        const LIMIT: i64 = 1 << 62;
        let mut defined = Vec::with_capacity(tensors.len());
        for (i, t) in tensors.iter().enumerate() {
            let (lo, hi) = t.bounds;
            let committed = Segment::COMMITTED.contains(&t.segment);
            let width_ok = if committed {
                (1..=62).contains(&t.width) && lo >= -(1 << (t.width - 1)) && hi < 1 << (t.width - 1)
            } else {
                t.width == 0
            };
            let constant_ok = if t.segment == Segment::Constant {
                t.constant.len() == t.len() && t.constant.iter().all(|v| (lo..=hi).contains(v))
            } else {
                t.constant.is_empty()
            };
            if t.is_empty() || lo > hi || !width_ok || !constant_ok {
                return Err(E::Tensor(i));
            }
            if lo <= -LIMIT || hi >= LIMIT {
                return Err(E::Magnitude(i));
            }
            defined.push(matches!(t.segment, Segment::Constant | Segment::Weights | Segment::Input));
        }
        let system = Self { tensors, relations };
        let results: std::collections::HashSet<_> =
            system.relations.iter().filter_map(Relation::result).collect();
        for (i, t) in system.tensors.iter().enumerate() {
            // A public tensor that no relation defines is given by the claim.
            if t.segment == Segment::Public && !results.contains(&TensorId(i as u32)) {
                defined[i] = true;
            }
        }
        for (index, r) in system.relations.iter().enumerate() {
            if !system.fits(r) {
                return Err(E::Relation { index, kind: r.kind() });
            }
            for v in r.operands() {
                if !defined[v.tensor.0 as usize] {
                    return Err(E::Order(v.tensor.0 as usize));
                }
            }
            if let Some(y) = r.result()
                && std::mem::replace(&mut defined[y.0 as usize], true)
            {
                return Err(E::Order(y.0 as usize));
            }
        }
        if let Some(i) = defined.iter().position(|d| !d) {
            return Err(E::Order(i));
        }
        system.check_magnitudes()?;
        Ok(system)
    }

    /// Interval arithmetic from what engines really enforce: widths of committed tensors, values of constants, bounds of
    /// public ones. Declared bounds of results are not trusted: whatever a prover does, every result stays far below a
    /// 254-bit field, so that equations in the field are equations over the integers. What a `Range` shows of a whole tensor
    /// is enforced like any other relation: whatever reads the tensor after it finds no larger value.
    fn check_magnitudes(&self) -> Result<(), SystemError> {
        const FAR_BELOW: i128 = 1 << 100;
        let mut reach: Vec<i128> = self
            .tensors
            .iter()
            .map(|t| match t.segment {
                Segment::Constant | Segment::Public => i128::from(t.bounds.0).abs().max(t.bounds.1.into()),
                Segment::Weights | Segment::Input => 1 << (t.width - 1),
                Segment::Output | Segment::Witness => 0,
            })
            .collect();
        for r in &self.relations {
            let of = |v: &View| reach[v.tensor.0 as usize];
            let result = match r {
                Relation::Contraction { a, c, grouping, bias, .. } => of(a)
                    .checked_mul(of(c))
                    .and_then(|p| p.checked_mul(grouping.sizes(a, c)?.depth as i128))
                    .and_then(|p| p.checked_add(bias.as_ref().map_or(0, of))),
                Relation::Affine { terms, offset, .. } => {
                    terms.iter().try_fold(i128::from(*offset).abs(), |sum, (coefficient, v)| {
                        sum.checked_add(of(v).checked_mul(i128::from(*coefficient).abs())?)
                    })
                }
                Relation::Product { a, c, .. } => of(a).checked_mul(of(c)),
                Relation::Requant { lo, hi, .. } | Relation::Hint { lo, hi, .. } => {
                    Some(i128::from(*lo).abs().max(i128::from(*hi).abs()))
                }
                Relation::Table { values, .. } => values.iter().map(|v| i128::from(*v).abs()).max(),
                Relation::Max { x, .. } => Some(of(x)),
                Relation::ArgMax { .. } => Some(1),
                Relation::Range { x, lo, hi } => {
                    let (at, shown) = (x.tensor.0 as usize, i128::from(*lo).abs().max(i128::from(*hi).abs()));
                    if x.is_identity(self.tensors[at].len()) {
                        reach[at] = reach[at].min(shown);
                    }
                    continue;
                }
            };
            let Some(y) = r.result() else { continue };
            let result = result.filter(|m| *m < FAR_BELOW).ok_or(SystemError::Magnitude(y.0 as usize))?;
            reach[y.0 as usize] = result;
        }
        Ok(())
    }

    fn fits(&self, r: &Relation) -> bool {
        let view_ok = |v: &View| self.tensors.get(v.tensor.0 as usize).is_some_and(|t| v.fits(t.len()));
        let Some(y_len) = r.result().map_or(Some(0), |y| self.tensors.get(y.0 as usize).map(TensorSpec::len))
        else {
            return false;
        };
        // First of all: lengths of other views could overflow.
        if !r.operands().into_iter().all(view_ok) {
            return false;
        }
        match r {
            Relation::Contraction { a, c, grouping, bias, .. } => {
                let Some(sizes) = grouping.sizes(a, c) else { return false };
                sizes.batches * sizes.rows * sizes.columns == y_len
                    && bias.as_ref().is_none_or(|v| v.len() == y_len)
            }
            Relation::Affine { terms, .. } => terms.iter().all(|(_, v)| v.len() == y_len),
            Relation::Product { a, c, .. } => a.len() == y_len && c.len() == y_len,
            Relation::Requant { x, shift, lo, hi, .. } => {
                x.len() == y_len && *shift <= 60 && lo <= hi && *lo > -(1 << 60) && *hi < 1 << 60
            }
            Relation::Range { lo, hi, .. } => lo <= hi,
            // Public results would be told by bounds alone.
            Relation::Hint { rule, lo, hi, y } => {
                self.tensor(*y).segment == Segment::Witness
                    && rule.operands().iter().all(|v| v.len() == y_len)
                    && lo <= hi
                    && *lo > -(1 << 60)
                    && *hi < 1 << 60
            }
            Relation::Table { x, first, values, .. } => {
                let moderate = |v: &i64| v.unsigned_abs() < 1 << 60;
                x.len() == y_len
                    && (1..=MAX_TABLE).contains(&values.len())
                    && moderate(first)
                    && values.iter().all(moderate)
            }
            Relation::Max { x, .. } => x.last_axes(y_len).is_some(),
            Relation::ArgMax { x, .. } => !x.axes.is_empty() && x.len() == y_len,
        }
    }

    /// Every tensor.
    #[must_use]
    pub fn tensors(&self) -> &[TensorSpec] {
        &self.tensors
    }

    /// One tensor.
    #[must_use]
    pub fn tensor(&self, id: TensorId) -> &TensorSpec {
        &self.tensors[id.0 as usize]
    }

    /// Every relation, in an order in which each reads only what is defined.
    #[must_use]
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// Tensors of one segment, in order.
    pub fn segment(&self, segment: Segment) -> impl Iterator<Item = TensorId> + '_ {
        self.tensors
            .iter()
            .enumerate()
            .filter(move |(_, t)| t.segment == segment)
            .map(|(i, _)| TensorId(i as u32))
    }

    /// The canonical packing order of a committed segment: tensors grouped by width, widths in order of first
    /// appearance, tensors of a width in order of index.
    #[must_use]
    pub fn parts(&self, segment: Segment) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for id in self.segment(segment) {
            let width = self.tensor(id).width;
            match parts.iter_mut().find(|p| p.width == width) {
                Some(part) => part.tensors.push(id),
                None => parts.push(Part { width, tensors: vec![id] }),
            }
        }
        parts
    }

    /// SHA-256 over everything the system says, in one canonical encoding: absorbed by transcripts, and what keys are
    /// filed under.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut encoder = Encoder(Sha256::new());
        encoder.text("tacit/relation-system/1");
        encoder.size(self.tensors.len());
        for t in &self.tensors {
            encoder.size(t.segment as usize);
            encoder.sizes(&t.shape);
            encoder.integers(&[t.bounds.0, t.bounds.1, t.width.into()]);
            encoder.integers(&t.constant);
        }
        encoder.size(self.relations.len());
        for r in &self.relations {
            encoder.relation(r);
        }
        encoder.0.finalize().into()
    }
}

/// The canonical encoding: every list behind its length, every integer in eight bytes, little-endian.
struct Encoder(Sha256);

impl Encoder {
    fn size(&mut self, n: usize) {
        self.0.update((n as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.size(text.len());
        self.0.update(text);
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.size(sizes.len());
        sizes.iter().for_each(|&n| self.size(n));
    }

    fn integers(&mut self, integers: &[i64]) {
        self.size(integers.len());
        integers.iter().for_each(|v| self.0.update(v.to_le_bytes()));
    }

    fn view(&mut self, view: &View) {
        self.sizes(&[view.tensor.0 as usize, view.offset, view.axes.len()]);
        view.axes.iter().for_each(|a| self.sizes(&[a.len, a.stride, a.before, a.valid]));
    }

    /// Kind, operands in order (as many as the kind or a count before them says), parameters, result.
    fn relation(&mut self, relation: &Relation) {
        self.text(relation.kind());
        let operands = relation.operands();
        self.size(operands.len());
        operands.into_iter().for_each(|v| self.view(v));
        match relation {
            Relation::Affine { terms, offset, .. } => {
                self.integers(&terms.iter().map(|(by, _)| *by).collect::<Vec<_>>());
                self.integers(&[*offset]);
            }
            Relation::Requant { shift, lo, hi, .. } => self.integers(&[(*shift).into(), *lo, *hi]),
            Relation::Range { lo, hi, .. } => self.integers(&[*lo, *hi]),
            Relation::Table { first, values, .. } => {
                self.integers(&[*first]);
                self.integers(values);
            }
            Relation::Hint { rule, lo, hi, .. } => {
                let rule = match rule {
                    HintRule::Quotient { .. } => 0,
                    HintRule::Root { .. } => 1,
                };
                self.integers(&[rule, *lo, *hi]);
            }
            // A bias is told from its absence by the number of operands, single axes from several by those of the operands.
            Relation::Contraction { grouping, .. } => {
                if *grouping != Grouping::MATRIX {
                    self.sizes(&[grouping.batch, grouping.rows]);
                }
            }
            Relation::Product { .. } | Relation::Max { .. } | Relation::ArgMax { .. } => {}
        }
        self.sizes(&relation.result().map(|y| y.0 as usize).into_iter().collect::<Vec<_>>());
    }
}
