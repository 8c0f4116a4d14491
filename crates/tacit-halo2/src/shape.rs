//! The size and shape of a circuit: everything that `configure` needs, derived from the relation system alone.

/// Width of Poseidon's state in the circuit.
pub(crate) const STATE: usize = 9;
/// Elements that one Horner row over copied cells takes, at most.
const MAX_PAIRS: usize = 4;
/// Smallest and largest `k` that the planner considers.
pub(crate) const MIN_K: u32 = 6;
/// See [`MIN_K`].
pub(crate) const MAX_K: u32 = 22;

/// The parameters of one circuit. Two relation systems of the same shape still have different fixed columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct CircuitShape {
    /// The circuit has `2^k` rows.
    pub k: u32,
    /// Lookups per row: advice columns whose cells can be range-checked.
    pub slots: usize,
    /// Largest range that one lookup checks, in bits.
    pub limb_bits: u8,
    /// Signed width of the weights that are packed and bound in place; 0 where there are none.
    pub lane_width: u8,
    /// Whether some matrix is used more than once, so that its bound rows are copied.
    pub reuses_matrices: bool,
    /// Whether some function is looked up in a table.
    pub looks_up_functions: bool,
}

impl CircuitShape {
    /// Limbs per weight in the lane.
    pub(crate) fn lane_limbs(self) -> usize {
        usize::from(self.lane_width.div_ceil(self.limb_bits.max(1)).max(1))
    }

    /// Weights per row in the lane, `G`.
    pub(crate) fn lane_group(self) -> usize {
        self.slots / self.lane_limbs()
    }

    /// Elements per Horner row over copied cells, `T`.
    pub(crate) fn pairs(self) -> usize {
        self.slots.min(MAX_PAIRS)
    }

    /// First-phase advice columns.
    pub(crate) fn advice(self) -> usize {
        STATE.max(self.slots + 1 + MAX_PAIRS)
    }

    /// Fixed columns shared by all gates.
    pub(crate) fn fixed(self) -> usize {
        STATE.max(self.slots + 5)
    }

    /// Advice column of the running linear combination.
    pub(crate) fn acc(self) -> usize {
        self.slots
    }

    /// `i`-th advice column beside the accumulator (0-based, four of them).
    pub(crate) fn side(self, i: usize) -> usize {
        self.slots + 1 + i
    }

    /// Fixed column of the linear gate's constant.
    pub(crate) fn constant(self) -> usize {
        self.slots
    }

    /// Fixed column of the linear gate's carry, `α`.
    pub(crate) fn carry(self) -> usize {
        self.slots + 1
    }

    /// Fixed columns for the other gates' parameters (0-based, three of them).
    pub(crate) fn parameter(self, i: usize) -> usize {
        self.slots + 2 + i
    }

    /// Tag under which the lookup table holds only zero.
    pub(crate) fn zero_tag(self) -> u8 {
        self.limb_bits + 1
    }

    /// Tag under which the lookup table holds only [`Self::neutral_limb`].
    pub(crate) fn neutral_tag(self) -> u8 {
        self.limb_bits + 2
    }

    /// The top limb of a weight of value zero: half of the offset-binary range.
    pub(crate) fn neutral_limb(self) -> u64 {
        if self.lane_width == 0 {
            return 0;
        }
        1 << (u32::from(self.lane_width) - 1 - u32::from(self.limb_bits) * (self.lane_limbs() as u32 - 1))
    }

    /// Rows of the lookup table: tag 0, every width up to `limb_bits`, and two constants.
    pub(crate) fn table_rows(self) -> usize {
        (1 << (self.limb_bits + 1)) + 1
    }

    /// Rows that hold cells: the library keeps the rest for blinding.
    pub(crate) fn usable_rows(self) -> usize {
        (1usize << self.k).saturating_sub(BLINDING_ROWS)
    }
}

/// Rows at the end that the library fills with randomness: five blinding factors for columns queried at three
/// rotations, and one more.
pub(crate) const BLINDING_ROWS: usize = 6;
