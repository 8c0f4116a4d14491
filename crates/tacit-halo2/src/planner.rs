//! Chooses the cheapest shape for a relation system. Deterministic: prover and verifier arrive at the same one.

use tacit_relations::{Relation, RelationSystem, Segment};

use crate::layout::{Unsupported, Witness, instance_rows, lane_plan, lay_out, supported};
use crate::shape::{CircuitShape, MAX_K, MIN_K};

/// Lookups per row that are tried.
const SLOTS: [usize; 6] = [2, 3, 4, 5, 6, 8];
/// Limbs wider than this make the table, not the rows, decide `k`.
const MAX_LIMB_BITS: u32 = 12;

/// Why there is no circuit for a system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The system needs more rows than the largest circuit has.
    #[error("the model needs a circuit of more than 2^{MAX_K} rows; the halo2 engine is for smaller models")]
    TooLarge,
    /// A relation that this engine has no chip for.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// The cheapest shape for `system`.
///
/// # Errors
/// [`PlanError`].
pub fn plan(system: &RelationSystem) -> Result<CircuitShape, PlanError> {
    supported(system)?;
    candidates(system).into_iter().min_by_key(|shape| cost(*shape)).ok_or(PlanError::TooLarge)
}

/// The smallest circuit for each number of lookups per row; none for a system that this engine cannot prove.
#[must_use]
pub fn candidates(system: &RelationSystem) -> Vec<CircuitShape> {
    SLOTS.into_iter().filter_map(|slots| smallest(system, slots)).collect()
}

/// The smallest circuit with this many lookups per row: limbs as wide as its table allows.
fn smallest(system: &RelationSystem, slots: usize) -> Option<CircuitShape> {
    let lane = lane_plan(system);
    let instance = instance_rows(system);
    let looks_up_functions = system.relations().iter().any(|r| matches!(r, Relation::Table { .. }));
    // Every committed number takes a lookup: no layout is tried that could not hold them.
    let committed: usize = Segment::COMMITTED
        .into_iter()
        .flat_map(|segment| system.segment(segment))
        .map(|id| system.tensor(id).len())
        .fold(0, usize::saturating_add);
    let mut counted: Option<(u8, Option<usize>)> = None;
    for k in MIN_K..=MAX_K {
        let limb_bits = (k - 2).min(MAX_LIMB_BITS) as u8;
        let shape = CircuitShape {
            k,
            slots,
            limb_bits,
            lane_width: lane.width,
            reuses_matrices: lane.reuses,
            looks_up_functions,
        };
        if !slots.is_multiple_of(shape.lane_limbs()) || committed.div_ceil(slots) > shape.usable_rows() {
            continue;
        }
        let rows = match counted {
            Some((bits, rows)) if bits == limb_bits => rows,
            _ => {
                let rows = lay_out(system, shape, &Witness::NONE, true)
                    .ok()
                    .map(|sheet| sheet.rows().max(sheet.function_rows()));
                counted = Some((limb_bits, rows));
                rows
            }
        };
        let others = shape.table_rows().max(instance);
        if rows.is_some_and(|rows| rows.max(others) <= shape.usable_rows()) {
            return Some(shape);
        }
    }
    None
}

/// Proving time in arbitrary units: rows times a weight per lookups in a row, fitted on measured proofs of multilayer
/// perceptrons (some 260 + 33 · slots µs per row). Beyond six lookups a proof passes five kilobytes, which is charged so
/// that two or three lookups in twice the rows are preferred.
fn cost(shape: CircuitShape) -> u64 {
    let slots = shape.slots as u64;
    let size = if slots > 6 { 6 } else { 0 };
    (8 + slots + size) << shape.k
}
