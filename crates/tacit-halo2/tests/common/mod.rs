//! What the tests share: statements for the systems of `tacit_relations::testing`, the mock prover, real proofs.
#![allow(dead_code, unreachable_pub)]

pub mod proofs;
pub mod recorder;

use std::collections::BTreeMap;

use halo2_proofs::dev::{MockProver, VerifyFailure};
use halo2curves::bn256::Fr;
use proptest::prelude::ProptestConfig;
use tacit_digest::{Domain, Part, Salt};
use tacit_halo2::prove::{circuit, instance_column};
use tacit_halo2::{CircuitShape, TacitCircuit};
use tacit_relations::testing::{self, division, selections, systems};
use tacit_relations::{Assignment, Commitment, Opening, Openings, RelationSystem, Segment, Statement, Trace};

/// A relation system with an honest witness.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub given: Assignment,
    pub statement: Statement,
    pub trace: Trace,
    pub openings: Openings,
}

/// States what the trace shows.
impl From<testing::Case> for Case {
    fn from(case: testing::Case) -> Self {
        let testing::Case { name, system, given, trace } = case;
        let openings = openings(&system);
        let statement =
            statement(system, &trace, &openings).expect("the values of an honest trace fit their widths");
        Self { name, given, statement, trace, openings }
    }
}

/// Every system built by hand.
pub fn all() -> Vec<Case> {
    testing::by_hand().into_iter().map(Case::from).collect()
}

/// Those of a few dozen values each, for tests that look at every cell.
pub fn small() -> Vec<Case> {
    let all = [systems::all(), selections::tables(), selections::maxima(), vec![division::case(2, 1)]];
    all.into_iter().flatten().map(Case::from).collect()
}

impl Case {
    pub fn system(&self) -> &RelationSystem {
        &self.statement.system
    }

    pub fn shape(&self) -> CircuitShape {
        tacit_halo2::plan(self.system()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The circuit of the honest witness in the planned shape.
    pub fn circuit(&self) -> TacitCircuit {
        circuit(&self.statement, self.shape(), &self.trace, &self.openings)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The circuit that a prover with another trace builds for `statement`.
    pub fn circuit_of(&self, statement: &Statement, trace: &Trace) -> TacitCircuit {
        circuit(statement, self.shape(), trace, &self.openings)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }
}

/// Salts for every committed segment of a system.
pub fn openings(system: &RelationSystem) -> Openings {
    Segment::COMMITTED
        .into_iter()
        .filter(|s| system.segment(*s).next().is_some())
        .map(|s| (s, Opening([0x51 + s as u8; 32])))
        .collect()
}

/// The statement that `trace` makes true: commitments by the native digest, public values of the trace. `None` where a
/// committed value does not fit its width.
pub fn statement(system: RelationSystem, trace: &Trace, openings: &Openings) -> Option<Statement> {
    let commitments = openings
        .iter()
        .map(|(segment, opening)| Some((*segment, commitment(&system, *segment, trace, opening)?)))
        .collect::<Option<_>>()?;
    let public: BTreeMap<_, _> =
        system.segment(Segment::Public).map(|id| (id, trace.tensor(id).to_vec())).collect();
    Some(Statement { system, binding: [9; 32], commitments, public })
}

/// The native digest of one segment; `None` where a value does not fit its width.
pub fn commitment(
    system: &RelationSystem,
    segment: Segment,
    trace: &Trace,
    opening: &Opening,
) -> Option<Commitment> {
    let domain = match segment {
        Segment::Weights => Domain::Weights,
        Segment::Input => Domain::Input,
        Segment::Output => Domain::Output,
        other => panic!("{other:?} is not committed"),
    };
    let parts: Vec<(u8, Vec<i64>)> = system
        .parts(segment)
        .iter()
        .map(|p| (p.width, p.tensors.iter().flat_map(|id| trace.tensor(*id).to_vec()).collect()))
        .collect();
    let parts: Vec<Part<'_>> = parts.iter().map(|(width, values)| Part { width: *width, values }).collect();
    let digest = tacit_digest::digest(domain, &parts, &Salt::from_bytes(opening.0)).ok()?;
    Some(Commitment(digest.to_bytes().to_vec()))
}

/// Runs the mock prover. A proving library that panics has not accepted.
pub fn mock(circuit: &TacitCircuit, statement: &Statement) -> Result<(), Vec<VerifyFailure>> {
    mock_prover(circuit, statement).verify()
}

pub fn mock_prover(circuit: &TacitCircuit, statement: &Statement) -> MockProver<Fr> {
    let instance = instance_column(statement).expect("commitments of this engine");
    MockProver::run(circuit.sheet().shape().k, circuit, vec![instance]).expect("the circuit fits")
}

/// Demands that the mock prover accepts.
#[track_caller]
pub fn accepted(name: &str, circuit: &TacitCircuit, statement: &Statement) {
    if let Err(failures) = mock(circuit, statement) {
        for failure in failures.iter().take(5) {
            eprintln!("{failure}");
        }
        panic!("{name}: {} constraints fail for an honest witness", failures.len());
    }
}

/// Whether two circuits hold the same first-phase values: then what differs between their traces is nothing that the
/// circuit reads.
pub fn same_cells(a: &TacitCircuit, b: &TacitCircuit) -> bool {
    let (a, b) = (a.sheet(), b.sheet());
    let cells = a.written_cells();
    cells == b.written_cells() && cells.iter().all(|c| a.cell_value(*c) == b.cell_value(*c))
}

/// As many random cases as `PROPTEST_CASES` asks for, or `usual`.
pub fn random_cases(usual: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { usual };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

/// Whether to try everything there is to try, and not a part of each attack: minutes more.
pub fn is_thorough() -> bool {
    std::env::var("TACIT_TESTS_THOROUGH").as_deref() == Ok("1")
}

/// Threads for work that can be split.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    use rayon::prelude::*;
    items.par_iter().map(f).collect()
}
