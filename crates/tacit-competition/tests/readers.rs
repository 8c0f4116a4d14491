//! Whatever bytes a stranger writes, readers answer with an error or a value, and never panic.

use proptest::prelude::*;
use tacit_claim::testing::{card, owner};
use tacit_claim::{ClaimDigest, ColumnName, EngineId, SaltBytes};
use tacit_competition::tree::Tree;
use tacit_competition::{
    Competition, CompetitionName, DataFormat, DisplayName, Entry, Event, ExpectedVerifier, FileDigest,
    Finding, Head, MetricText, Origin, Publication, Receipt, Registration, Seal, SignedVerdict, Terms,
    TestSetDigest, Tool, Verdict,
};

fn competition() -> Competition {
    let text = "plain";
    let terms = Terms {
        name: CompetitionName::new(text).expect("plain"),
        origin: Origin::new("example.org").expect("plain"),
        schema: card(1).schema().clone(),
        labels: ColumnName::new(text).expect("plain"),
        groups: Vec::new(),
        metric: MetricText::new(text).expect("plain"),
        test_set: seal().sealed(),
    };
    Competition::sign(terms, &owner(1)).expect("the terms keep the rules")
}

fn seal() -> Seal {
    Seal::new(TestSetDigest([1; 32]), SaltBytes::new([2; 32]))
}

/// One honest file of every kind.
fn files() -> Vec<Vec<u8>> {
    let competition = competition();
    let name = DisplayName::new("plain").expect("plain");
    let registration = Registration::sign(competition.id(), card(1).id(), name, &owner(1));
    let entry = Entry::new(competition.id(), 0, Event::Registration(Box::new(registration.clone())));
    let publication = Publication::new(&seal(), DataFormat::Csv, b"data");
    let tree: Tree = [entry.to_json()].into_iter().collect();
    let head = Head::sign(&competition.log_name(), tree.root(), &owner(1));
    let receipt = Receipt::new(&entry, &tree, &head).expect("the only entry");
    let verdict = Verdict {
        sentence: "so it is".to_owned(),
        verdict: Finding::Holds,
        evidence: FileDigest([3; 32]),
        claim_digest: ClaimDigest([4; 32]),
        dataset_digest: None,
        context: competition.context(&owner(1).public()),
        engine: EngineId::Halo2,
        hidden: Vec::new(),
        unvouched: Vec::new(),
        tool: Tool { name: "tacit".to_owned(), version: "0".to_owned() },
    };
    vec![
        competition.to_json().to_vec(),
        registration.to_json(),
        entry.to_json(),
        Entry::new(competition.id(), 1, Event::Publication(publication)).to_json(),
        head.note().as_bytes().to_vec(),
        receipt.to_json(),
        seal().to_json().to_vec(),
        SignedVerdict::sign(card(1).id(), verdict, &owner(1)),
    ]
}

/// How many readers take the bytes.
fn read(bytes: &[u8]) -> usize {
    let competition = competition();
    let by = ExpectedVerifier::Fingerprint(owner(1).public().fingerprint());
    [
        Competition::from_json(bytes).is_ok(),
        Registration::from_json(bytes).is_ok_and(|r| r.verify().is_ok()),
        Entry::from_json(bytes).is_ok(),
        Head::open(bytes, &competition.log_name(), competition.host()).is_ok(),
        Receipt::from_json(bytes).is_ok_and(|r| r.verify(&competition).is_ok()),
        Seal::from_json(bytes).is_ok(),
        SignedVerdict::verify(bytes, &by).is_ok(),
    ]
    .into_iter()
    .filter(|ok| *ok)
    .count()
}

#[test]
fn every_file_has_one_reader() {
    for file in files() {
        assert_eq!(read(&file), 1, "{}", String::from_utf8_lossy(&file));
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&bytes), 0);
    }

    #[test]
    fn no_change_is_too_strange(
        which in 0usize..8,
        at in any::<prop::sample::Index>(),
        cut in 0usize..20,
        put in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\":,0123456789aef-.".to_vec())], 0..20),
    ) {
        let mut file = files().swap_remove(which);
        let at = at.index(file.len());
        let end = (at + cut).min(file.len());
        file.splice(at..end, put);
        read(&file);
    }
}
