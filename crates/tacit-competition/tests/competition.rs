//! A whole competition over a folder, and those who cheat in it: competitors, the host, whoever writes to the
//! folder.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use tacit_claim::testing::{card, claim, owner, sign, unsigned_card};
use tacit_claim::{Bundle, Card, Claim, ColumnName, Context, EngineId, Fraction, OwnerKey, SaltBytes};
use tacit_competition::tree::Tree;
use tacit_competition::{
    Better, Competition, CompetitionError, CompetitionName, DisplayName, Entry, Event, FileDigest, Folder,
    Head, HeadSource, Judge, Known, Leaderboard, MetricText, Origin, Publication, Reason, Receipt,
    Registration, Score, Seal, Submission, Terms, TestSetDigest,
};
use tacit_model::testing::mlp;
use tacit_model::{Dataset, DatasetError, Schema};

/// Every byte of the file is a record; an engine's proof is `bound/samples:` and the digest of the test set.
struct TestJudge(Better);

fn dataset(schema: &Schema, bytes: &[u8]) -> Result<Dataset, DatasetError> {
    let records = bytes.iter().map(|b| vec![i64::from(*b); schema.features.len()]).collect();
    Dataset::new(schema, records, None, Vec::new())
}

fn digest(bytes: &[u8]) -> TestSetDigest {
    dataset(card(1).schema(), bytes).unwrap().digest().into()
}

const JUDGE: TestJudge = TestJudge(Better::Larger);

impl Judge for TestJudge {
    fn read_test_set(&self, competition: &Competition, data: &Path) -> Result<Dataset, String> {
        let bytes = fs::read(data).map_err(|e| e.to_string())?;
        dataset(&competition.terms().schema, &bytes).map_err(|e| e.to_string())
    }

    fn better(&self, _: &Competition) -> Better {
        self.0
    }

    fn judge(&self, submission: &Submission<'_>) -> Result<Score, String> {
        assert_eq!(submission.context, &submission.bundle.claim().context);
        assert_eq!(submission.card.id(), submission.bundle.claim().card_id);
        assert!(submission.points.is_some());
        let text = String::from_utf8_lossy(submission.bundle.proof()).into_owned();
        let (share, digest) = text.split_once(':').ok_or("the proof does not hold")?;
        if digest != hex::encode(submission.data.digest().0) {
            return Err("the proof is about another test set".to_owned());
        }
        let (reached, samples) = share.split_once('/').ok_or("the proof does not hold")?;
        let [reached, samples] = [reached, samples].map(|n| n.parse::<u64>().unwrap_or(0));
        let value = Fraction::new(reached, samples).map_err(|e| e.to_string())?;
        Ok(Score { value, sentence: format!("at least {reached} of {samples}") })
    }
}

const HOST: u64 = 1000;
const DATA: &[u8] = b"x0,x1,x2,label\n1,2,3,class 0\n";

struct World {
    dir: tempfile::TempDir,
    folder: Folder,
    seal: Seal,
    competition: Competition,
}

fn terms(seal: &Seal) -> Terms {
    Terms {
        name: CompetitionName::new("A cup").unwrap(),
        origin: Origin::new("example.org/cup").unwrap(),
        schema: card(1).schema().clone(),
        labels: ColumnName::new("label").unwrap(),
        groups: vec![ColumnName::new("site").unwrap()],
        metric: MetricText::new("accuracy").unwrap(),
        test_set: seal.sealed(),
    }
}

fn host() -> OwnerKey {
    owner(HOST)
}

fn name(text: &str) -> DisplayName {
    DisplayName::new(text).unwrap()
}

/// Points that are those of [`card`]`(seed)`, as far as this crate looks.
fn points(seed: u64) -> tacit_claim::CardPoints {
    tacit_claim::CardPoints::new(vec![1], tacit_claim::testing::bytes(seed ^ 3).to_vec()).unwrap()
}

fn nothing() -> Known {
    Known::default()
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("cup"));
        let digest = digest(DATA);
        let seal = Seal::new(digest, SaltBytes::new([7; 32]));
        let competition = folder.open(terms(&seal), &host()).unwrap();
        Self { dir, folder, seal, competition }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        let path = self.dir.path().join("secret.csv");
        fs::write(&path, DATA).unwrap();
        path
    }

    fn request(&self, seed: u64) -> Result<Registration, CompetitionError> {
        self.request_card(&card(seed), seed, seed)
    }

    fn request_card(&self, card: &Card, seed: u64, key: u64) -> Result<Registration, CompetitionError> {
        let name = name(&format!("team {seed}"));
        self.folder.request(card, Some(&points(seed)), name, &owner(key), &nothing())
    }

    /// Requests and accepts, one after the other, so that the order is that of `seeds`.
    fn register(&self, seeds: &[u64]) -> Vec<Receipt> {
        let accept = |seed: &u64| {
            self.request(*seed).unwrap();
            let accepted = self.folder.accept(&host(), &nothing()).unwrap();
            assert!(accepted.refused.is_empty() && accepted.late.is_empty(), "{:?}", accepted.refused);
            accepted.receipts
        };
        seeds.iter().flat_map(accept).collect()
    }

    fn publish(&self) -> tacit_competition::Published {
        self.folder.publish(&self.seal, &self.data(), &JUDGE, &host(), &nothing()).unwrap()
    }

    fn claim(&self, seed: u64) -> Claim {
        let mut claim = claim(&card(seed), EngineId::Sumcheck, seed);
        claim.context = self.competition.context(&owner(seed).public());
        claim
    }

    fn proof(&self, claim: Claim, share: &str) -> Vec<u8> {
        let proof = format!("{share}:{}", self.seal.digest());
        Bundle::new(claim, proof.into_bytes()).unwrap().to_bytes()
    }

    fn submit(&self, seed: u64, share: &str) -> Result<String, CompetitionError> {
        let proof = self.proof(self.claim(seed), share);
        self.folder.submit(&proof, &nothing()).map(|s| s.file)
    }

    /// Puts a proof under a card's submissions as somebody would who does not use this library.
    fn drop_proof(&self, seed: u64, proof: &[u8]) -> String {
        let file = format!("submissions/{}/{}.proof", card(seed).id(), FileDigest::of(proof));
        self.write(&file, proof);
        file
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn rank(&self) -> Result<Leaderboard, CompetitionError> {
        self.folder.leaderboard(&JUDGE, &nothing())
    }

    fn rank_with(&self, receipts: &[Receipt]) -> Result<Leaderboard, CompetitionError> {
        self.folder.leaderboard(&JUDGE, &Known { receipts: receipts.to_vec(), ..nothing() })
    }

    /// Rewrites the log from scratch, as a host may who holds the key.
    fn rewrite(&self, events: Vec<Event>) {
        fs::remove_dir_all(self.path("log")).unwrap();
        fs::remove_dir_all(self.path("heads")).unwrap();
        self.rewrite_from(0, events);
    }

    /// Appends without asking any rule.
    fn append(&self, event: Event) {
        let mut events: Vec<Event> =
            self.folder.log(&nothing()).unwrap().entries().iter().map(|e| e.event().clone()).collect();
        events.push(event);
        self.rewrite_from(events.len() - 1, events);
    }

    fn rewrite_from(&self, fresh: usize, events: Vec<Event>) {
        let entries = events.into_iter().zip(0..).map(|(e, i)| Entry::new(self.competition.id(), i, e));
        let files: Vec<Vec<u8>> = entries.map(|e| e.to_json()).collect();
        for (i, file) in files.iter().enumerate().skip(fresh) {
            self.write(&format!("log/{i:08}.json"), file);
        }
        let tree: Tree = files.into_iter().collect();
        let head = Head::sign(&self.competition.log_name(), tree.root(), &host());
        self.write(&format!("heads/{:08}", head.size()), head.note().as_bytes());
    }

    fn events(&self) -> Vec<Event> {
        self.folder.log(&nothing()).unwrap().entries().iter().map(|e| e.event().clone()).collect()
    }
}

fn reasons(board: &Leaderboard) -> Vec<(&str, &Reason)> {
    board.refused.iter().map(|r| (r.file.as_str(), &r.reason)).collect()
}

#[test]
fn a_competition_from_opening_to_ranking() {
    let world = World::new();
    let receipts = world.register(&[1, 2, 3, 4]);
    assert_eq!(receipts.len(), 4);
    for receipt in &receipts {
        assert_eq!(Receipt::from_json(&receipt.to_json()).as_ref(), Ok(receipt));
        receipt.verify(&world.competition).unwrap();
    }
    let before = world.rank().unwrap();
    assert!(before.publication.is_none() && before.standings.is_empty() && before.unproved.len() == 4);
    assert!(matches!(world.submit(1, "3/5"), Err(CompetitionError::NotPublished)));
    let published = world.publish();
    assert_eq!((published.entry, published.head.size()), (5, 6));
    assert_eq!(fs::read(world.path("published/test.csv")).unwrap(), DATA);
    for (seed, share) in [(2, "4/5"), (1, "3/5"), (3, "8/10"), (1, "2/5")] {
        world.submit(seed, share).unwrap();
    }
    let board = world.rank_with(&receipts).unwrap();
    let shown: Vec<_> = board
        .standings
        .iter()
        .map(|s| (s.rank, s.competitor.name.as_str(), s.score.sentence.as_str()))
        .collect();
    // Equal scores in the order of registration; of several proofs the best.
    let expected = [
        (1, "team 2", "at least 4 of 5"),
        (2, "team 3", "at least 8 of 10"),
        (3, "team 1", "at least 3 of 5"),
    ];
    assert_eq!(shown, expected);
    assert_eq!(board.unproved.iter().map(|r| r.entry).collect::<Vec<_>>(), [4]);
    assert!(board.refused.is_empty() && board.unsigned == 0);
    let smaller = world.folder.leaderboard(&TestJudge(Better::Smaller), &nothing()).unwrap();
    let shown: Vec<_> = smaller.standings.iter().map(|s| s.score.sentence.as_str()).collect();
    assert_eq!(shown, ["at least 2 of 5", "at least 4 of 5", "at least 8 of 10"]);
    // Doing everything again changes nothing.
    let again = world.folder.accept(&host(), &nothing()).unwrap();
    assert!(again.receipts.is_empty() && again.late.is_empty() && again.refused.is_empty());
    let again = world.folder.publish(&world.seal, &world.data(), &JUDGE, &host(), &nothing());
    assert!(matches!(again, Err(CompetitionError::Published(5))));
    world.submit(1, "3/5").unwrap();
    world.folder.open(terms(&world.seal), &host()).unwrap();
    assert_eq!(world.rank().unwrap().head, board.head);
    // Anybody makes receipts from the folder, and proofs that heads continue one another.
    let log = world.folder.log(&nothing()).unwrap();
    assert_eq!(log.receipts(card(3).id()).len(), 1);
    let old = receipts[0].verify(&world.competition).unwrap().root();
    let proof = log.tree().prove_consistency(old.size).unwrap();
    log.head().root().verify_consistency(&old, &proof).unwrap();
    // The folder holds nothing but what is in the layout.
    let mut names: Vec<_> =
        fs::read_dir(world.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["cards", "competition.json", "heads", "log", "published", "requests", "submissions"].map(Into::into)
            as [std::ffi::OsString; 7]
    );
}

#[test]
fn a_second_competition_never_takes_the_place_of_a_first() {
    let world = World::new();
    let mut other = terms(&world.seal);
    other.name = CompetitionName::new("Another").unwrap();
    assert!(matches!(world.folder.open(other, &host()), Err(CompetitionError::Differs(_))));
    assert!(matches!(world.folder.open(terms(&world.seal), &owner(5)), Err(CompetitionError::Differs(_))));
    let refused = world.folder.accept(&owner(5), &nothing());
    assert!(matches!(refused, Err(CompetitionError::NotHost { .. })));
    let pinned = Known { competition: Some(tacit_competition::CompetitionId([0; 32])), ..nothing() };
    let refused = world.folder.leaderboard(&JUDGE, &pinned);
    assert!(matches!(refused, Err(CompetitionError::OtherCompetition { .. })));
    let pinned = Known { competition: Some(world.competition.id()), ..nothing() };
    world.folder.leaderboard(&JUDGE, &pinned).unwrap();
}

#[test]
fn late_registrations_are_visible_and_do_not_count() {
    let world = World::new();
    world.register(&[1]);
    world.publish();
    world.request(2).unwrap();
    let accepted = world.folder.accept(&host(), &nothing()).unwrap();
    assert_eq!((accepted.receipts.len(), accepted.late.len()), (0, 1));
    let refused = world.submit(2, "5/5");
    assert!(matches!(refused, Err(CompetitionError::Refused(Reason::NotRegistered(_)))));
    world.drop_proof(2, &world.proof(world.claim(2), "5/5"));
    world.submit(1, "3/5").unwrap();
    let board = world.rank().unwrap();
    assert_eq!(board.standings.len(), 1);
    let late = card(2).id();
    let expected = [
        ("log/00000003.json".to_owned(), Reason::Late(2)),
        (format!("submissions/{late}"), Reason::NotRegistered(late)),
    ];
    let expected: Vec<_> = expected.iter().map(|(f, r)| (f.as_str(), r)).collect();
    assert_eq!(reasons(&board), expected);
}

#[test]
fn pending_requests_are_accepted_before_the_publication() {
    let world = World::new();
    world.request(1).unwrap();
    let published = world.publish();
    assert_eq!((published.acceptance.receipts.len(), published.entry), (1, 2));
}

#[test]
fn one_card_per_owner_and_the_first_counts() {
    let world = World::new();
    world.register(&[1]);
    // Other weights under the same key.
    let second = sign(unsigned_card(mlp(&[3, 4, 2], 8, 16, 77).architecture(), 77), 1);
    let refused = world.request_card(&second, 77, 1);
    assert!(matches!(refused, Err(CompetitionError::Refused(Reason::SameOwner(1)))), "{refused:?}");
    // The same past the library: the host refuses, and where the host does not, the leaderboard does.
    let request = Registration::sign(world.competition.id(), second.id(), name("me"), &owner(1));
    world.write(&format!("cards/{}/card.json", second.id()), second.to_json());
    world.write(&format!("cards/{}/card.points", second.id()), &points(77).to_bytes());
    let bytes = request.to_json();
    world.write(&format!("requests/{}.json", FileDigest::of(&bytes)), &bytes);
    let accepted = world.folder.accept(&host(), &nothing()).unwrap();
    assert_eq!(accepted.refused.iter().map(|r| &r.reason).collect::<Vec<_>>(), [&Reason::SameOwner(1)]);
    world.append(Event::Registration(Box::new(request)));
    let board = world.rank().unwrap();
    assert_eq!(reasons(&board), [("log/00000002.json", &Reason::SameOwner(1))]);
    // Not even when the first card's file is gone.
    fs::remove_dir_all(world.path(&format!("cards/{}", card(1).id()))).unwrap();
    let board = world.rank().unwrap();
    assert_eq!(board.refused.len(), 2);
    assert!(board.standings.is_empty() && board.unproved.is_empty());
}

#[test]
fn a_card_is_registered_by_its_owner_alone_and_once() {
    let world = World::new();
    let thief = world.request_card(&card(1), 1, 2);
    assert!(matches!(thief, Err(CompetitionError::Refused(Reason::NotOwner { .. }))), "{thief:?}");
    // A copied card under the thief's request, then a copied request under the thief's name.
    world.write(&format!("cards/{}/card.json", card(1).id()), card(1).to_json());
    world.write(&format!("cards/{}/card.points", card(1).id()), &points(1).to_bytes());
    let stolen = Registration::sign(world.competition.id(), card(1).id(), name("thief"), &owner(2));
    let honest = Registration::sign(world.competition.id(), card(1).id(), name("honest"), &owner(1));
    let renamed = String::from_utf8(honest.to_json()).unwrap().replace("honest", "thieve").into_bytes();
    let elsewhere = tacit_competition::CompetitionId([1; 32]);
    let elsewhere = Registration::sign(elsewhere, card(1).id(), name("honest"), &owner(1));
    for bytes in [stolen.to_json(), renamed, elsewhere.to_json(), honest.to_json()] {
        world.write(&format!("requests/{}.json", FileDigest::of(&bytes)), &bytes);
    }
    let accepted = world.folder.accept(&host(), &nothing()).unwrap();
    assert_eq!(accepted.receipts.len(), 1);
    assert_eq!(accepted.receipts[0].registration().unwrap().name().as_str(), "honest");
    assert_eq!(accepted.refused.len(), 3);
    // A host who logs the theft, and the same card twice: the true owner still counts.
    world.rewrite(vec![
        Event::Opening,
        Event::Registration(Box::new(stolen)),
        Event::Registration(Box::new(honest.clone())),
        Event::Registration(Box::new(honest)),
        Event::Registration(Box::new(elsewhere)),
    ]);
    let board = world.rank().unwrap();
    assert_eq!(board.unproved.iter().map(|r| r.entry).collect::<Vec<_>>(), [2]);
    assert!(matches!(
        reasons(&board)[..],
        [(_, Reason::NotOwner { .. }), (_, Reason::SameCard(2)), (_, Reason::OtherCompetition)]
    ));
}

#[test]
fn a_proof_counts_for_its_card_competition_and_submitter_alone() {
    let world = World::new();
    world.register(&[1, 2]);
    world.publish();
    let other_context = |text: &str| {
        let mut claim = world.claim(1);
        claim.context = Context::new(text).unwrap();
        world.proof(claim, "5/5")
    };
    let theirs = world.competition.context(&owner(2).public());
    for proof in [other_context(""), other_context("another cup"), other_context(theirs.as_str())] {
        let refused = world.folder.submit(&proof, &nothing());
        assert!(matches!(refused, Err(CompetitionError::Refused(Reason::OtherContext { .. }))));
        world.drop_proof(1, &proof);
    }
    // Somebody else's proof under one's own card.
    let stolen = world.drop_proof(2, &world.proof(world.claim(1), "5/5"));
    // A forged threshold, a proof of another test set, no proof at all, a file that is not what its name
    // says.
    let judged =
        |share: &str| world.folder.judge_submission(&world.proof(world.claim(1), share), &JUDGE, &nothing());
    assert_eq!(judged("3/5").unwrap().sentence, "at least 3 of 5");
    assert!(matches!(judged("9/8/7"), Err(CompetitionError::Refused(Reason::Judged(_)))));
    world.submit(1, "9/8/7").unwrap();
    world.submit(1, "0/0").unwrap();
    let elsewhere = format!("5/5:{}", TestSetDigest([0; 32]));
    let elsewhere = Bundle::new(world.claim(1), elsewhere.into_bytes()).unwrap().to_bytes();
    world.folder.submit(&elsewhere, &nothing()).unwrap();
    world.drop_proof(1, b"garbage");
    assert!(matches!(
        world.folder.submit(b"garbage", &nothing()),
        Err(CompetitionError::Refused(Reason::Bundle(_)))
    ));
    let honest = world.proof(world.claim(1), "3/5");
    world.write(&format!("submissions/{}/{}.proof", card(1).id(), FileDigest([9; 32])), &honest);
    world.write(&format!("submissions/{}/..proof", card(1).id()), &honest);
    world.write("submissions/\u{202e}name", b"");
    world.submit(2, "1/5").unwrap();
    let board = world.rank().unwrap();
    assert_eq!(board.standings.len(), 1);
    assert_eq!(board.standings[0].competitor.card, card(2).id());
    assert_eq!(board.unproved.len(), 1);
    let count = |is: fn(&Reason) -> bool| board.refused.iter().filter(|r| is(&r.reason)).count();
    assert_eq!(count(|r| matches!(r, Reason::OtherContext { .. })), 3);
    assert_eq!(count(|r| matches!(r, Reason::Judged(_))), 3);
    assert_eq!(count(|r| matches!(r, Reason::Bundle(_))), 1);
    assert_eq!(count(|r| matches!(r, Reason::Content)), 1);
    assert_eq!(count(|r| matches!(r, Reason::Name)), 2);
    let theft = board.refused.iter().find(|r| r.file == stolen).unwrap();
    assert!(matches!(theft.reason, Reason::OtherCard { .. }));
    assert!(board.refused.iter().all(|r| r.file.is_ascii()), "{:?}", board.refused);
}

#[test]
fn a_rewritten_log_is_found_out() {
    let world = World::new();
    let receipts = world.register(&[1, 2, 3]);
    world.publish();
    let events = world.events();
    let rewritten = |size, receipt: usize| {
        let known = world.rank_with(&receipts[receipt..=receipt]);
        let shown_by = HeadSource::Receipt(card(receipt as u64 + 1).id());
        match known {
            Err(CompetitionError::Rewritten { size: s, shown_by: b }) => assert_eq!((s, b), (size, shown_by)),
            other => panic!("{:?}", other.map(|b| b.refused)),
        }
    };
    // Swapped, dropped, replaced, with all heads signed anew: who holds no receipt sees nothing.
    let mut swapped = events.clone();
    swapped.swap(1, 2);
    world.rewrite(swapped);
    world.rank().unwrap();
    rewritten(2, 0);
    rewritten(3, 1);
    let mut moved = events.clone();
    let first = moved.remove(1);
    moved.push(first);
    world.rewrite(moved);
    rewritten(2, 0);
    let mut dropped = events.clone();
    dropped.remove(3);
    world.rewrite(dropped);
    world.rank_with(&receipts[..2]).unwrap();
    rewritten(4, 2);
    // Shortened to before the receipt.
    world.rewrite(events[..2].to_vec());
    let shortened = world.rank_with(&receipts[2..]);
    let shown_by = HeadSource::Receipt(card(3).id());
    assert!(
        matches!(shortened, Err(CompetitionError::Shortened { expected: 4, actual: 2, shown_by: b }) if b == shown_by)
    );
    // A head that was kept does as well as a receipt, for the host too.
    let kept = Known { heads: vec![events_head(&world, &events)], ..nothing() };
    let refused = world.folder.accept(&host(), &kept);
    assert!(matches!(refused, Err(CompetitionError::Shortened { shown_by: HeadSource::Held, .. })));
    world.rewrite(events);
    world.rank_with(&receipts).unwrap();
    world.folder.accept(&host(), &kept).unwrap();
}

fn events_head(world: &World, events: &[Event]) -> Vec<u8> {
    let entries =
        events.iter().zip(0..).map(|(e, i)| Entry::new(world.competition.id(), i, e.clone()).to_json());
    let tree: Tree = entries.collect();
    Head::sign(&world.competition.log_name(), tree.root(), &host()).note().as_bytes().to_vec()
}

#[test]
fn whoever_writes_to_the_folder_without_the_hosts_key_is_found_out() {
    let world = World::new();
    world.register(&[1, 2]);
    world.publish();
    let read = |name: &str| fs::read(world.path(name)).unwrap();
    let entry = |i: u64| format!("log/{i:08}.json");
    let originals: Vec<Vec<u8>> = (0..4).map(|i| read(&entry(i))).collect();
    let restore = || originals.iter().zip(0..).for_each(|(bytes, i)| world.write(&entry(i), bytes));
    let is_rewritten = |size| match world.rank() {
        Err(CompetitionError::Rewritten { size: s, shown_by: HeadSource::Folder }) => assert_eq!(s, size),
        other => panic!("{:?}", other.map(|b| b.refused)),
    };
    world.rank().unwrap();
    // The smallest head that does not fit tells where.
    world.write(
        &entry(1),
        String::from_utf8(originals[1].clone()).unwrap().replace("team", "meat").as_bytes(),
    );
    is_rewritten(2);
    restore();
    world.write(&entry(1), &originals[2]);
    world.write(&entry(2), &originals[1]);
    is_rewritten(2);
    restore();
    world.write(&entry(3), b"garbage");
    is_rewritten(4);
    restore();
    world.write(&entry(2), &vec![b' '; 1 << 20]);
    assert!(matches!(world.rank(), Err(CompetitionError::File(_))));
    fs::remove_file(world.path(&entry(2))).unwrap();
    assert!(matches!(world.rank(), Err(CompetitionError::MissingEntry { index: 2, size: 4 })));
    restore();
    // Heads: forged, of another size than the name says, missing.
    let head = read("heads/00000004");
    let forged = Head::sign(&world.competition.log_name(), world.rank().unwrap().head.root(), &owner(3));
    world.write("heads/00000004", forged.note().as_bytes());
    assert!(matches!(world.rank(), Err(CompetitionError::Head { size: 4, .. })));
    world.write("heads/00000004", &head);
    world.write("heads/00000009", &head);
    assert!(matches!(world.rank(), Err(CompetitionError::Head { size: 9, .. })));
    fs::remove_file(world.path("heads/00000009")).unwrap();
    for name in
        ["heads/4", "heads/+0000004", "heads/.gitkeep", "heads/99999999999999999999999", "log/notes.txt"]
    {
        world.write(name, b"garbage");
    }
    world.rank().unwrap();
    // Terms.
    let terms = String::from_utf8(read("competition.json")).unwrap();
    for bad in [
        terms.replace("accuracy", "recall"),
        format!("{terms}\n"),
        "{}".to_owned(),
        terms.replace("competition/1", "competition/2"),
    ] {
        world.write("competition.json", bad.as_bytes());
        assert!(matches!(world.rank(), Err(CompetitionError::Terms(_))), "{bad}");
    }
    world.write("competition.json", terms.as_bytes());
    fs::remove_dir_all(world.path("heads")).unwrap();
    assert!(matches!(world.rank(), Err(CompetitionError::NoHead)));
}

#[test]
fn a_fork_in_the_folder_is_found_out() {
    let world = World::new();
    world.register(&[1, 2]);
    // Two heads of one host over trees that do not continue one another.
    let mut events = world.events();
    events.remove(1);
    let fork = events_head(&world, &events);
    world.write("heads/00000002", &fork);
    assert!(matches!(world.rank(), Err(CompetitionError::Rewritten { size: 2, .. })));
}

#[test]
fn another_test_set_than_the_sealed_one_is_refused() {
    let world = World::new();
    world.register(&[1]);
    let publish = |seal: &Seal, data: &Path| world.folder.publish(seal, data, &JUDGE, &host(), &nothing());
    let other = world.dir.path().join("other.csv");
    fs::write(&other, b"x0,x1,x2,label\n").unwrap();
    let other_digest = digest(b"x0,x1,x2,label\n");
    let salt = || SaltBytes::new([7; 32]);
    let refused = publish(&Seal::new(world.seal.digest(), SaltBytes::new([8; 32])), &world.data());
    assert!(matches!(refused, Err(CompetitionError::Seal)));
    assert!(matches!(publish(&Seal::new(other_digest, salt()), &other), Err(CompetitionError::Seal)));
    assert!(matches!(publish(&world.seal, &other), Err(CompetitionError::TestSet { .. })));
    let unnamed = world.dir.path().join("data");
    fs::write(&unnamed, DATA).unwrap();
    assert!(matches!(publish(&world.seal, &unnamed), Err(CompetitionError::DataFormat(_))));
    assert!(matches!(
        publish(&world.seal, &world.dir.path().join("none.csv")),
        Err(CompetitionError::Data { .. })
    ));
    assert!(!world.path("published").exists());
    // A host who publishes it all the same.
    let events = world.events();
    let csv = tacit_competition::DataFormat::Csv;
    let with = |seal: &Seal, bytes: &[u8], file: &[u8]| {
        let mut events = events.clone();
        events.push(Event::Publication(Publication::new(seal, csv, bytes)));
        world.rewrite(events);
        world.write("published/test.csv", file);
        world.rank()
    };
    let reseal = Seal::new(other_digest, salt());
    assert!(matches!(with(&reseal, b"x0,x1,x2,label\n", b"x0,x1,x2,label\n"), Err(CompetitionError::Reveal)));
    assert!(matches!(with(&world.seal, DATA, b"other"), Err(CompetitionError::DataFile(_))));
    assert!(matches!(with(&world.seal, b"other", b"other"), Err(CompetitionError::TestSet { .. })));
    with(&world.seal, DATA, DATA).unwrap();
    fs::remove_file(world.path("published/test.csv")).unwrap();
    assert!(matches!(world.rank(), Err(CompetitionError::File(_))));
    // A second publication is passed over.
    world.write("published/test.csv", DATA);
    world.append(Event::Publication(Publication::new(&world.seal, csv, b"other")));
    assert_eq!(reasons(&world.rank().unwrap()), [("log/00000003.json", &Reason::Republished(2))]);
}

#[test]
fn an_interrupted_run_is_taken_up() {
    // After an entry and before its head.
    let world = World::new();
    world.register(&[1]);
    world.request(2).unwrap();
    world.folder.accept(&host(), &nothing()).unwrap();
    fs::remove_file(world.path("heads/00000003")).unwrap();
    let board = world.rank().unwrap();
    assert_eq!((board.unsigned, board.head.size(), board.unproved.len()), (1, 2, 1));
    let accepted = world.folder.accept(&host(), &nothing()).unwrap();
    assert_eq!((accepted.receipts.len(), accepted.head.size()), (1, 3));
    // In the publication: file without entry, then entry without head.
    world.write("published/test.csv", DATA);
    let published = world.publish();
    fs::remove_file(world.path("heads/00000004")).unwrap();
    assert!(world.rank().unwrap().publication.is_none());
    let again = world.publish();
    assert_eq!((again.entry, again.head), (published.entry, published.head));
    // In the opening.
    let other = World::new();
    fs::remove_dir_all(other.path("heads")).unwrap();
    other.folder.open(terms(&other.seal), &host()).unwrap();
    fs::remove_dir_all(other.path("heads")).unwrap();
    fs::remove_dir_all(other.path("log")).unwrap();
    other.folder.open(terms(&other.seal), &host()).unwrap();
    other.rank().unwrap();
    // What the host would not have written is not signed.
    let stolen = Registration::sign(world.competition.id(), card(1).id(), name("thief"), &owner(9));
    let wrong = Entry::new(world.competition.id(), 7, Event::Opening);
    let theft = Entry::new(world.competition.id(), 4, Event::Registration(Box::new(stolen)));
    for bytes in [theft.to_json(), wrong.to_json(), b"garbage".to_vec()] {
        world.write("log/00000004.json", &bytes);
        let refused = world.folder.accept(&host(), &nothing());
        assert!(matches!(refused, Err(CompetitionError::UnsignedEntry { index: 4, .. })), "{refused:?}");
        assert_eq!(world.rank().unwrap().unsigned, 1);
    }
}

#[test]
fn the_host_cannot_sign_nonsense_into_the_log() {
    let world = World::new();
    world.rewrite(vec![Event::Opening, Event::Opening]);
    assert!(matches!(world.rank(), Err(CompetitionError::Entry { index: 1, .. })));
    let registration = Registration::sign(world.competition.id(), card(1).id(), name("me"), &owner(1));
    world.rewrite(vec![Event::Registration(Box::new(registration))]);
    assert!(matches!(world.rank(), Err(CompetitionError::Entry { index: 0, .. })));
    let sign = |files: Vec<Vec<u8>>| {
        fs::remove_dir_all(world.path("heads")).unwrap();
        for (i, file) in files.iter().enumerate() {
            world.write(&format!("log/{i:08}.json"), file);
        }
        let tree: Tree = files.into_iter().collect();
        let head = Head::sign(&world.competition.log_name(), tree.root(), &host());
        world.write(&format!("heads/{:08}", head.size()), head.note().as_bytes());
        world.rank()
    };
    let opening = Entry::new(world.competition.id(), 0, Event::Opening).to_json();
    let spaced = [b" ".as_slice(), &opening].concat();
    let huge =
        String::from_utf8(opening.clone()).unwrap().replace("\"index\":0", "\"index\":18446744073709551615");
    let float = String::from_utf8(opening.clone()).unwrap().replace("\"index\":0", "\"index\":0.0");
    for bad in [spaced, huge.into_bytes(), float.into_bytes(), b"{}".to_vec(), b"\xff".to_vec(), Vec::new()] {
        assert!(matches!(sign(vec![bad]), Err(CompetitionError::Entry { index: 0, .. })));
    }
    let elsewhere = Entry::new(tacit_competition::CompetitionId([0; 32]), 0, Event::Opening).to_json();
    assert!(matches!(sign(vec![elsewhere]), Err(CompetitionError::Entry { index: 0, .. })));
    sign(vec![opening]).unwrap();
}

#[test]
fn hostile_requests_and_cards_keep_nobody_waiting() {
    let world = World::new();
    let drop = |bytes: &[u8]| world.write(&format!("requests/{}.json", FileDigest::of(bytes)), bytes);
    drop(b"garbage");
    drop(&"[".repeat(10_000).into_bytes());
    drop(&vec![b'x'; 1 << 20]);
    let honest = Registration::sign(world.competition.id(), card(8).id(), name("x"), &owner(8)).to_json();
    let honest = String::from_utf8(honest).unwrap();
    drop(format!(" {honest}").as_bytes());
    drop(honest.replace("request/1", "request/9").as_bytes());
    drop(honest.as_bytes()); // Without a card.
    world.write("requests/../requests/notes.txt", b"");
    world.write(&format!("requests/{}.json", "0".repeat(64)), honest.as_bytes());
    #[cfg(unix)]
    {
        let link = format!("requests/{}.json", "1".repeat(64));
        std::os::unix::fs::symlink("/dev/zero", world.path(&link)).unwrap();
        fs::create_dir(world.path(&format!("requests/{}.json", "2".repeat(64)))).unwrap();
    }
    // A card under another's name, and points that are not the card's.
    world.write(&format!("cards/{}/card.json", card(6).id()), card(5).to_json());
    let misnamed = Registration::sign(world.competition.id(), card(6).id(), name("x"), &owner(6));
    drop(&misnamed.to_json());
    world.write(&format!("cards/{}/card.json", card(7).id()), card(7).to_json());
    world.write(&format!("cards/{}/card.points", card(7).id()), &points(5).to_bytes());
    let pointless = Registration::sign(world.competition.id(), card(7).id(), name("x"), &owner(7));
    drop(&pointless.to_json());
    // A card for other records.
    let wide = sign(unsigned_card(mlp(&[4, 4, 2], 8, 16, 9).architecture(), 9), 9);
    assert!(matches!(world.request_card(&wide, 9, 9), Err(CompetitionError::Refused(Reason::Schema))));
    world.request(1).unwrap();
    let accepted = world.folder.accept(&host(), &nothing()).unwrap();
    assert_eq!(accepted.receipts.len(), 1);
    let count = |is: fn(&Reason) -> bool| accepted.refused.iter().filter(|r| is(&r.reason)).count();
    assert_eq!(count(|r| matches!(r, Reason::Request(_))), 4);
    assert_eq!(count(|r| matches!(r, Reason::NoCard(_))), 1);
    assert_eq!(count(|r| matches!(r, Reason::Name)), 1);
    assert_eq!(count(|r| matches!(r, Reason::Content)), 2);
    assert_eq!(count(|r| matches!(r, Reason::OtherPoints)), 1);
    assert_eq!(count(|r| matches!(r, Reason::File(_))), if cfg!(unix) { 3 } else { 1 });
    // A place that somebody took first is not written over.
    world.write(&format!("cards/{}/card.points", card(2).id()), b"junk");
    assert!(matches!(world.request(2), Err(CompetitionError::Differs(_))));
    #[cfg(unix)]
    {
        let elsewhere = world.dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, world.path(&format!("cards/{}", card(3).id()))).unwrap();
        assert!(matches!(world.request(3), Err(CompetitionError::NotAFolder(_))));
        assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0, "nothing is written past a link");
    }
}

#[test]
fn receipts_are_checked() {
    let world = World::new();
    let receipts = world.register(&[1, 2]);
    let text = String::from_utf8(receipts[1].to_json()).unwrap();
    let mut other = World::new();
    let mut terms = terms(&world.seal);
    terms.name = CompetitionName::new("Another").unwrap();
    other.folder = Folder::new(other.dir.path().join("another"));
    other.competition = other.folder.open(terms, &host()).unwrap();
    assert!(receipts[1].verify(&other.competition).is_err());
    assert!(matches!(
        other.folder.log(&Known { receipts: receipts.clone(), ..nothing() }),
        Err(CompetitionError::Receipt(_))
    ));
    for at in 0..text.len() {
        let mut bad = text.clone().into_bytes();
        bad[at] ^= 1;
        let holds = Receipt::from_json(&bad).is_ok_and(|r| r.verify(&world.competition).is_ok());
        assert!(!holds, "flipped byte {at}: {}", &text[at.saturating_sub(20)..=at]);
        assert!(Receipt::from_json(&text.as_bytes()[..at]).is_err(), "cut at {at}");
    }
    // A receipt that somebody signed who is not the host.
    let fake = Head::sign(&world.competition.log_name(), world.rank().unwrap().head.root(), &owner(4));
    let note = serde_json_text(receipts[1].clone(), &fake);
    assert!(Receipt::from_json(note.as_bytes()).unwrap().verify(&world.competition).is_err());
    let known = Known { heads: vec![fake.note().as_bytes().to_vec()], ..nothing() };
    assert!(matches!(world.folder.leaderboard(&JUDGE, &known), Err(CompetitionError::HeldHead(_))));
}

fn serde_json_text(receipt: Receipt, head: &Head) -> String {
    let mut value: serde_json::Value = serde_json::from_slice(&receipt.to_json()).unwrap();
    value["head"] = head.note().into();
    // Keys are sorted and nothing in a receipt needs other escapes: this is the canonical form.
    serde_json::to_string(&value).unwrap()
}
