//! Everything that a proof holds, element by element, and why each may be seen.

use crate::prove::VerifierKey;

/// A run of 32-byte elements of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofItem {
    /// What the elements are.
    pub what: &'static str,
    /// How many.
    pub count: usize,
    /// Why a verifier may see them.
    pub why: &'static str,
}

/// Bytes of one element, point or scalar.
const ELEMENT: usize = 32;

impl VerifierKey {
    /// The elements of every proof under this key, in order: their bytes add up to the proof's length.
    #[must_use]
    pub fn inventory(&self) -> Vec<ProofItem> {
        let cs = self.vk.cs();
        let lookups = cs.lookups().len();
        let columns = cs.permutation().get_columns().len();
        let products = columns.div_ceil(cs.degree() - 2);
        const HIDING: &str = "commitment to a polynomial with random rows";
        const MASKED: &str =
            "evaluation at one random point of a polynomial with more random rows than evaluations";
        const PUBLIC: &str = "evaluation of a fixed column: the verifier could compute it";
        let item = |what, count, why| ProofItem { what, count, why };
        vec![
            item("advice columns", cs.num_advice_columns(), HIDING),
            item("permuted lookup columns", 2 * lookups, HIDING),
            item("permutation products", products, HIDING),
            item("lookup products", lookups, HIDING),
            item("random polynomial", 1, "commitment to a random polynomial"),
            item(
                "quotient pieces",
                cs.degree() - 1,
                "commitments to polynomials of the whole witness, not blinded by the library: computational hiding",
            ),
            item("advice evaluations", cs.advice_queries().len(), MASKED),
            item("fixed evaluations", cs.fixed_queries().len(), PUBLIC),
            item("random polynomial's evaluation", 1, "evaluation of a random polynomial"),
            item("permutation evaluations", columns, PUBLIC),
            item("permutation product evaluations", 3 * products - 1, MASKED),
            item("lookup evaluations", 5 * lookups, MASKED),
            item("opening", 2, "commitments to quotients by the opened points, functions of what is above"),
        ]
    }

    /// Length of every proof under this key, in bytes.
    #[must_use]
    pub fn proof_len(&self) -> usize {
        self.inventory().iter().map(|item| item.count * ELEMENT).sum()
    }
}
