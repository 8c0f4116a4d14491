//! Competitions by the real binary: parties with folders of their own, those who cheat, and signed verdicts.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use tacit_claim::{Bundle, Card, ClaimKind, Fraction, OwnerKey};
use tacit_competition::tree::Tree;
use tacit_competition::{Competition, DisplayName, Entry, Event, FileDigest, Head, Registration};

use common::{Place, Run, repository};

fn digits(name: &str) -> String {
    repository(&format!("datasets/optical-digits/{name}"))
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &to)
        } else {
            drop(fs::copy(item.path(), to))
        }
    }
}

/// `logistic`, `weak` and a second card `logistic2` of the first one's owner, with models and keys.
fn models() -> &'static Place {
    static MODELS: OnceLock<Place> = OnceLock::new();
    MODELS.get_or_init(|| {
        let place = Place::new();
        for name in ["logistic", "weak"] {
            let onnx = repository(&format!("examples/kaggle/{name}.onnx"));
            let model = format!("{name}.tacit");
            let holes = [&*onnx, &*digits("train.csv"), &*digits("schema.json"), &*model];
            place.tacit("quantize {} --data {} --labels digit --schema {} -o {}", &holes).ok();
            place.tacit("commit {} -o {}", &[&model, name]).ok();
        }
        place.tacit("commit logistic.tacit -o logistic2 --key logistic/owner.key", &[]).ok();
        place
    })
}

const INIT: &str = "competition init cup --name Digits --schema {} --data {} --labels digit --metric accuracy --key host.key --seal seal.secret";

/// Models, and the competition `cup` of host.key and seal.secret.
fn opened() -> Place {
    static OPENED: OnceLock<Place> = OnceLock::new();
    let opened = OPENED.get_or_init(|| {
        let place = Place::new();
        copy(&models().path("."), &place.path("."));
        place.tacit(INIT, &[&digits("schema.json"), &digits("test.csv")]).ok();
        place
    });
    clone(opened)
}

fn clone(other: &Place) -> Place {
    let place = Place::new();
    copy(&other.path("."), &place.path("."));
    place
}

/// The same with `logistic` and `weak` registered, receipts `logistic.receipt` and `weak.receipt`.
fn registered() -> Place {
    static REGISTERED: OnceLock<Place> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        let place = opened();
        for name in ["logistic", "weak"] {
            register(&place, name, name, &format!("--host-key host.key --receipt {name}.receipt")).ok();
        }
        place
    });
    clone(registered)
}

/// The same with the test set published, and `logistic.proof` of 351 right.
fn published() -> Place {
    static PUBLISHED: OnceLock<Place> = OnceLock::new();
    let published = PUBLISHED.get_or_init(|| {
        let place = registered();
        publish(&place).ok();
        prove(&place, "logistic", "--at-least max", "logistic.proof");
        place
    });
    clone(published)
}

fn register(place: &Place, card: &str, key: &str, more: &str) -> Run {
    let line = format!(
        "competition register cup --card {card}/card.json --key {key}/owner.key --name {card} {more}"
    );
    place.tacit(line.trim(), &[])
}

fn publish(place: &Place) -> Run {
    place.tacit("competition publish cup --seal seal.secret --data {} --key host.key", &[&digits("test.csv")])
}

fn context(place: &Place, card: &str) -> String {
    let run = place.tacit(&format!("competition context cup --card {card}/card.json"), &[]).ok();
    assert_eq!((run.out.lines().count(), &*run.err), (1, ""), "a shell takes it as it is");
    run.out.trim_end().to_owned()
}

fn prove_for(place: &Place, name: &str, claims: &str, context: &str, data: &str, output: &str) {
    let line = format!(
        "prove accuracy --model {name}.tacit --opening {name}/opening.secret --labels digit {claims} -o {output}"
    );
    let args = line.split(' ').chain(["--context", context, "--data", data]);
    place.run(args).ok();
}

fn prove(place: &Place, name: &str, claims: &str, output: &str) {
    prove_for(place, name, claims, &context(place, name), "cup/published/test.csv", output);
}

fn rank(place: &Place, more: &str) -> Run {
    place.tacit(format!("competition rank cup {more}").trim(), &[])
}

/// The sound log's leaderboard as scripts see it.
fn ranked(place: &Place) -> Value {
    let run = rank(place, "--json").ok();
    let board = run.json();
    assert_eq!(board["holds"], true);
    board
}

fn reasons(board: &Value) -> Vec<&str> {
    board["refused"].as_array().unwrap().iter().map(|r| r["reason"].as_str().unwrap()).collect()
}

fn card(place: &Place, name: &str) -> Card {
    Card::from_json(&place.read(&format!("{name}/card.json"))).unwrap()
}

fn key(place: &Place, file: &str) -> OwnerKey {
    OwnerKey::from_text(&place.read(file)).unwrap()
}

/// Puts a proof under a card's submissions, as somebody would who does not use the command.
fn drop_proof(place: &Place, card: &Card, proof: &[u8]) -> String {
    let file = format!("submissions/{}/{}.proof", card.id(), FileDigest::of(proof));
    let path = place.path("cup").join(&file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, proof).unwrap();
    file
}

fn events(place: &Place) -> Vec<Event> {
    let file = |i: u32| fs::read(place.path(&format!("cup/log/{i:08}.json"))).ok();
    (0..).map_while(file).map(|bytes| Entry::from_json(&bytes).unwrap().event().clone()).collect()
}

/// Writes the log anew, as a host can who holds the key.
fn rewrite(place: &Place, events: Vec<Event>) {
    let competition = Competition::from_json(&place.read("cup/competition.json")).unwrap();
    for folder in ["cup/log", "cup/heads"] {
        fs::remove_dir_all(place.path(folder)).unwrap();
        fs::create_dir(place.path(folder)).unwrap();
    }
    let mut tree = Tree::new();
    for (event, i) in events.into_iter().zip(0..) {
        let entry = Entry::new(competition.id(), i, event).to_json();
        place.write(&format!("cup/log/{i:08}.json"), &entry);
        tree.push(entry);
    }
    let head = Head::sign(&competition.log_name(), tree.root(), &key(place, "host.key"));
    place.write(&format!("cup/heads/{:08}", head.size()), head.note());
}

#[test]
fn a_competition_from_opening_to_ranking() {
    let place = Place::new();
    copy(&models().path("."), &place.path("."));
    let run = place.tacit(INIT, &[&digits("schema.json"), &digits("test.csv")]).ok();
    for text in ["Opened the competition «Digits»", "360 records, sealed as", "host.key (new; keep a copy)"]
    {
        assert!(run.out.contains(text), "no `{text}` in {run:?}");
    }
    let id = rank(&place, "--json").ok().json()["competition"].as_str().unwrap().to_owned();
    assert!(rank(&place, "").ok().out.contains("nobody is registered"));

    // One asks and is accepted later, the other is accepted at once.
    let run = register(&place, "logistic", "logistic", &format!("--expect {id}")).ok();
    assert!(run.out.contains("Asked to compete") && run.err.contains("competition receipt"), "{run:?}");
    let receipt = "competition receipt cup --card logistic/card.json -o logistic.receipt";
    place.tacit(receipt, &[]).fails(2, &["the log has no registration", "the host then accepts it"]);
    let run = register(&place, "weak", "weak", "--host-key host.key --receipt weak.receipt --json").ok();
    let accepted = run.json();
    assert_eq!((accepted["accepted"].as_array().map(Vec::len), &accepted["is_late"]), (None, &false.into()));
    assert_eq!(accepted["receipt"], "weak.receipt");
    place.tacit(receipt, &[]).ok();
    place.tacit(receipt, &[]).fails(2, &["logistic.receipt already exists", "--force"]);
    let run = place.tacit("competition accept cup --key host.key --receipts receipts", &[]).ok();
    assert!(run.out.contains("No request was taken into the log"), "{run:?}");

    let board = ranked(&place);
    assert_eq!(board["unproved"].as_array().unwrap().len(), 2);
    assert_eq!((&board["published"], &board["log_entries"]), (&Value::Null, &3.into()));
    let run = publish(&place).ok();
    assert!(run.out.contains("Published the test set, by log entry 3"), "{run:?}");
    assert_eq!(place.read("cup/published/test.csv"), fs::read(digits("test.csv")).unwrap());
    publish(&place).fails(2, &["published already, by log entry 3"]);

    for (name, claims) in [("weak", "--at-least max"), ("logistic", "--at-least 95%")] {
        prove(&place, name, claims, &format!("{name}.proof"));
        let line = format!("competition submit cup {name}.proof --expect {id}");
        let run = place.tacit(&line, &[]).ok();
        assert!(run.out.starts_with("Submitted\nThe model of card"), "{run:?}");
        assert!(run.err.contains("since the publication"), "{run:?}");
        let run = place.tacit(&format!("{line} --receipt {name}.receipt"), &[]).ok();
        assert!(run.err.is_empty(), "{run:?}");
    }
    let run = rank(&place, &format!("--receipt weak.receipt --expect {id} --keep-head kept.head")).ok();
    let expected = "«Digits», ranked by accuracy\n";
    assert!(run.out.starts_with(expected), "{run:?}");
    let (first, second) =
        (run.out.find("342 of 360 (95.00 %)").unwrap(), run.out.find("244 of 360").unwrap());
    assert!(first < second && !run.out.contains("351 of"), "the score above the bound stays hidden: {run:?}");
    assert!(run.err.contains("older than the publication"), "{run:?}");
    for line in run.out.lines().filter(|l| l.starts_with(['│', '┌', '╞', '└'])) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // A receipt made since, and the head that was kept, show more.
    place.tacit(&format!("{receipt} --force"), &[]).ok();
    for more in ["--receipt logistic.receipt", "--head kept.head", "--receipt weak.receipt --head kept.head"]
    {
        let run = rank(&place, more).ok();
        assert!(!run.err.contains("older") && run.out.contains("The log is sound"), "{run:?}");
    }
    rank(&place, "--keep-head kept.head").fails(2, &["kept.head already exists"]);
    let board = ranked(&place);
    let standing = &board["standings"][0];
    assert_eq!((&standing["name"], &standing["score"]), (&"logistic".into(), &serde_json::json!([342, 360])));
    assert!(standing["claim"].as_str().unwrap().contains("at least 342 of 360 right"));
    assert_eq!(reasons(&board), [""; 0]);
}

#[test]
fn what_cannot_be_a_competition_is_refused_and_nothing_is_written() {
    let place = Place::new();
    let (schema, test) = (digits("schema.json"), digits("test.csv"));
    fs::copy(&test, place.path("test.csv")).unwrap();
    fs::copy(&test, place.path("test.txt")).unwrap();
    let init = |from: &str, to: &str| {
        assert!(INIT.contains(from));
        place.tacit(&INIT.replace("--data {}", "--data test.csv").replace(from, to), &[&schema])
    };
    let before = place.files();
    for (from, to, texts) in [
        ("accuracy", "auc", &["`auc` is no metric", "what can be ranked by"][..]),
        ("accuracy", "recall[11]", &["`11` is no class"]),
        ("accuracy", "accuracy>=0.9", &["has a bound"]),
        ("accuracy", "selection_rate[1]", &["ranks nothing"]),
        ("accuracy", "mean_absolute_error", &["numbers"]),
        ("--labels digit", "--labels number", &["number", "--labels"]),
        ("--labels digit", "--labels digit --by site", &["site"]),
        ("--seal seal.secret", "--seal cup/seal.secret", &["the seal would lie in the competition's folder"]),
        ("--key host.key", "--key ./new/../cup/host.key", &["the host's key would lie in"]),
        ("--key host.key", "--key test.csv", &["test.csv: the key file has"]),
        ("--seal seal.secret", "--seal test.csv", &["test.csv: the output is also an input"]),
        ("cup", "test.csv", &["a folder is wanted"]),
        ("--name Digits", "--name  ", &["--name"]),
    ] {
        let run = init(from, to);
        assert_eq!(run.code, 2, "{run:?}");
        for text in texts {
            assert!(run.err.contains(text), "no `{text}` in {run:?}");
        }
        assert_eq!(place.files(), before, "{to}");
    }
    let line = INIT.replace("--data {}", "--data test.txt");
    place.tacit(&line, &[&schema]).fails(2, &["test.txt is not named as a test set: .csv, .npz or .json"]);
    assert_eq!(place.files(), before);
    place.run(["competition", "rank", "."]).fails(2, &["holds no competition", "competition init"]);

    init("Digits", "Digits").ok();
    init("seal.secret", "seal2.secret").fails(2, &["cup holds a competition already", "never changes"]);
    init("init cup", "init cup2").fails(2, &["seal.secret already exists", "choose another name"]);
    assert!(!place.path("seal2.secret").exists() && !place.path("cup2").exists());
    let private = |name: &str| {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(place.path(name).exists());
    };
    private("seal.secret");
    private("host.key");

    // Interrupted before its first head was signed: the same again completes it, with the same seal alone.
    let terms = place.read("cup/competition.json");
    fs::remove_dir_all(place.path("cup/heads")).unwrap();
    rank(&place, "").fails(2, &["the log has no signed head", "opens it again"]);
    init("--name Digits", "--name Others").fails(2, &["already there and holds something else"]);
    place.take(&elsewhere(), "seal.secret", "other.secret");
    init("seal.secret", "other.secret").fails(2, &["does not seal this test set for the competition there"]);
    let run = init("Digits", "Digits").ok();
    assert!(run.out.contains("host.key (kept)"), "{run:?}");
    assert_eq!(place.read("cup/competition.json"), terms);
    rank(&place, "").ok();
}

/// A place with another competition on the same test set.
fn elsewhere() -> Place {
    let place = Place::new();
    place.tacit(INIT, &[&digits("schema.json"), &digits("test.csv")]).ok();
    place
}

#[test]
fn registrations_that_cannot_count_are_refused() {
    let place = registered();
    // Others' keys, a second card, the same card, another host, another competition, another folder.
    register(&place, "logistic2", "weak", "").fails(1, &["the card belongs to", "who asks for it"]);
    register(&place, "logistic2", "logistic", "")
        .fails(1, &["its owner registered a card already, by log entry 1"]);
    register(&place, "weak", "weak", "").fails(1, &["registered already, by log entry 2"]);
    let requests = || fs::read_dir(place.path("cup/requests")).unwrap().count();
    place.tacit("commit weak.tacit -o new", &[]).ok();
    register(&place, "new", "new", "--host-key weak/owner.key")
        .fails(2, &["is not that of the competition's host", "name the key that opened"]);
    assert_eq!(requests(), 2, "nothing is asked where the host's key is wrong");
    let unknown = "ab".repeat(32);
    register(&place, "new", "new", &format!("--expect {unknown}")).fails(3, &[&unknown]);
    register(&place, "new", "new", "--expect abc").usage("64 hexadecimal digits");
    register(&place, "new", "new", "--receipt r").usage("--host-key");
    register(&place, "new", "new", "--host-key host.key --receipt new/card.json")
        .fails(2, &["the output is also an input"]);
    place
        .tacit("competition register nowhere --card new/card.json --key new/owner.key --name x", &[])
        .fails(2, &["nowhere holds no competition"]);
    place
        .tacit("competition accept cup --key weak/owner.key", &[])
        .fails(2, &["is not that of the competition's host"]);

    // A card for other records.
    let medical = common::committed("sumcheck");
    copy(&medical.path("card"), &place.path("medical"));
    register(&place, "medical", "medical", "").fails(1, &["other features or classes"]);

    // Past the command: the host refuses what it finds, and takes what is good.
    let competition = Competition::from_json(&place.read("cup/competition.json")).unwrap();
    let id = card(&place, "new").id();
    let theft = Registration::sign(
        competition.id(),
        id,
        DisplayName::new("thief").unwrap(),
        &key(&place, "weak/owner.key"),
    );
    let bytes = theft.to_json();
    place.write(&format!("cup/requests/{}.json", FileDigest::of(&bytes)), &bytes);
    place.write("cup/requests/nonsense", "");
    register(&place, "new", "new", "").ok();
    let run = place.tacit("competition accept cup --key host.key --receipts receipts", &[]).ok();
    assert!(run.out.contains("Took 1 request into the log"), "{run:?}");
    // The request with the smaller digest comes first.
    let theft = ["its owner registered a card already", "the card is registered already"];
    assert!(theft.iter().any(|text| run.err.contains(text)), "{run:?}");
    for text in ["warning: refused requests/", "requests/nonsense: the name is not"] {
        assert!(run.err.contains(text), "no `{text}` in {run:?}");
    }
    rank(&place, &format!("--receipt receipts/{id}.json")).ok();
    assert_eq!(reasons(&ranked(&place)), [""; 0], "requests are no part of the log");
}

#[test]
fn a_late_registration_is_visible_and_does_not_count() {
    let place = published();
    place.tacit("commit weak.tacit -o late", &[]).ok();
    let run = register(&place, "late", "late", "").ok();
    assert!(run.err.contains("warning: the test set is published already"), "{run:?}");
    let run = place.tacit("competition accept cup --key host.key --receipts receipts --json", &[]).ok();
    let accepted = run.json();
    assert_eq!((&accepted["accepted"], &accepted["late"][0]["entry"]), (&serde_json::json!([]), &4.into()));
    place.write("late.tacit", place.read("weak.tacit"));
    prove(&place, "late", "--at-least max", "late.proof");
    place.tacit("competition submit cup late.proof", &[]).fails(1, &["no registration of card"]);
    drop_proof(&place, &card(&place, "late"), &place.read("late.proof"));
    place.tacit("competition submit cup logistic.proof", &[]).ok();
    let run = rank(&place, "").ok();
    assert!(run.out.contains("What does not count\n- log/00000004.json\n"), "{run:?}");
    assert!(run.out.contains("registered after the test set was published by log entry 3: late"), "{run:?}");
    let board = ranked(&place);
    assert_eq!(board["standings"].as_array().unwrap().len(), 1);
    assert_eq!(reasons(&board).len(), 2);
}

#[test]
fn a_proof_counts_for_what_it_shows_and_whose_it_is() {
    let place = registered();
    let test = digits("test.csv");
    prove_for(&place, "logistic", "--at-least 95%", &context(&place, "logistic"), &test, "early.proof");
    place
        .tacit("competition submit cup early.proof", &[])
        .fails(2, &["not published yet", "wait until the host publishes"]);
    drop_proof(&place, &card(&place, "logistic"), &place.read("early.proof"));
    assert_eq!(reasons(&ranked(&place)), ["the test set is not published yet"]);

    let place = published();
    let own = context(&place, "logistic");
    // What else could be proved with the right context, and the right thing in another.
    let shorter = {
        let csv = fs::read_to_string(&test).unwrap();
        let lines: Vec<&str> = csv.lines().take(101).collect();
        place.write("short.csv", lines.join("\n"));
        "short.csv"
    };
    let mut bundle = Bundle::from_bytes(&place.read("logistic.proof")).unwrap().into_parts();
    if let ClaimKind::Accuracy(claim) = &mut bundle.0.kind {
        claim.requirements[0].bound = Fraction::new(352, 360).unwrap();
    }
    place.write("forged.proof", Bundle::new(bundle.0, bundle.1).unwrap().to_bytes());
    let mut altered = place.read("logistic.proof");
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    place.write("altered.proof", altered);
    let more = |claims: &str, name: &str| prove_for(&place, "logistic", claims, &own, &test, name);
    more("--claim recall[3]>=0.5", "recall.proof");
    more("--claim accuracy<=0.99", "below.proof");
    more("--at-least 95% --claim recall[3]>=0.5", "two.proof");
    more("--at-least 95% --hide data", "hidden.proof");
    prove_for(&place, "logistic", "--at-least 90%", &own, shorter, "short.proof");
    prove_for(&place, "logistic", "--at-least 95%", "another cup", &test, "elsewhere.proof");
    let (logistic, weak) = (card(&place, "logistic"), card(&place, "weak"));
    let mut dropped = 0;
    for (name, texts) in [
        ("forged.proof", &["does not hold"][..]),
        ("altered.proof", &["the proof "]),
        ("recall.proof", &["the claim is that recall[3] >= 1/2, and the competition is ranked by accuracy"]),
        ("below.proof", &["the claim is that accuracy <="]),
        ("two.proof", &["states 2 conditions", "ranked by one"]),
        ("hidden.proof", &["hides which test set"]),
        ("short.proof", &["the test set has digest"]),
        ("elsewhere.proof", &["the proof was made for «another cup», not for «tacit competition"]),
    ] {
        let run = place.tacit(&format!("competition submit cup {name}"), &[]);
        run.fails(1, texts);
        drop_proof(&place, &logistic, &place.read(name));
        dropped += 1;
        let board = ranked(&place);
        assert_eq!(reasons(&board).len(), dropped);
        for text in texts {
            assert!(reasons(&board).iter().any(|r| r.contains(text)), "{text}: {board}");
        }
        assert_eq!(board["standings"], serde_json::json!([]), "{name}");
    }
    // Somebody else's proof, what is none, and what is not what its name says.
    drop_proof(&place, &weak, &place.read("logistic.proof"));
    let renamed = drop_proof(&place, &logistic, b"garbage");
    place.write(&format!("cup/{renamed}"), "other garbage");
    let board = ranked(&place);
    for text in ["the proof is about card", "the content is not what the name says"] {
        assert!(reasons(&board).iter().any(|r| r.contains(text)), "{text}: {board}");
    }
    place.tacit("competition submit cup short.csv", &[]).fails(2, &["short.csv: not a Tacit proof file"]);
    place
        .tacit("competition submit cup weak/card.json", &[])
        .fails(2, &["expected a file of the kind `proof`"]);
    place.tacit("competition submit cup logistic.proof", &[]).ok();
    let run = rank(&place, "").ok();
    assert!(run.out.contains("351 of 360 (97.50 %)"), "junk keeps nobody from ranking: {run:?}");
    // The best of several counts, whatever the order.
    more("--at-least 95%", "second.proof");
    place.tacit("competition submit cup second.proof", &[]).ok();
    assert_eq!(ranked(&place)["standings"][0]["score"], serde_json::json!([351, 360]));
}

#[test]
fn a_host_who_writes_another_log_is_found_out() {
    let place = published();
    rank(&place, "--keep-head kept.head").ok();
    place.tacit("competition receipt cup --card logistic/card.json -o renewed.receipt", &[]).ok();
    place.tacit("commit weak.tacit -o late", &[]).ok();
    register(&place, "late", "late", "--host-key host.key --receipt late.receipt").ok();
    rank(&place, "--receipt late.receipt --receipt renewed.receipt --head kept.head").ok();

    // Mallory is put before the publication.
    let mut log = events(&place);
    let late = log.pop().unwrap();
    log.insert(3, late);
    rewrite(&place, log.clone());
    let run = rank(&place, "").ok();
    assert!(run.out.contains("late") && run.err.contains("show different logs"), "{run:?}");
    let found = ["the log was rewritten"];
    for more in
        ["--receipt renewed.receipt", "--head kept.head", "--receipt logistic.receipt --receipt late.receipt"]
    {
        let run = rank(&place, more).does_not_hold(&found);
        assert!(run.err.contains("keep the folder and your receipt"), "{run:?}");
    }
    let run = rank(&place, "--receipt renewed.receipt --json");
    let verdict = run.json();
    assert_eq!((run.code, &verdict["holds"], &verdict["exit_code"]), (1, &false.into(), &1.into()));
    // A receipt from before the publication cannot show it; that is said.
    let run = rank(&place, "--receipt logistic.receipt").ok();
    assert!(run.err.contains("older than the publication"), "{run:?}");
    // Neither command goes on with such a log.
    place.tacit("competition submit cup logistic.proof --receipt renewed.receipt", &[]).fails(1, &found);
    place.tacit("competition accept cup --key host.key --head kept.head", &[]).fails(1, &found);

    // Somebody is left out, entries are edited, missing; the test set is not what it was.
    log.remove(1);
    rewrite(&place, log);
    rank(&place, "--receipt logistic.receipt").does_not_hold(&found);
    let place = published();
    for (file, text) in [
        ("cup/log/00000001.json", "the log was rewritten"),
        ("cup/published/test.csv", "is not the file that the host published"),
        ("cup/heads/00000004", "is not signed by the competition's host"),
    ] {
        let good = place.read(file);
        let edited = String::from_utf8(good.clone()).unwrap();
        let edited = match file {
            "cup/heads/00000004" => edited.replacen("\n4\n", "\n5\n", 1),
            "cup/published/test.csv" => edited.replacen(",0,", ",1,", 1),
            _ => edited.replacen("logistic", "logistik", 1),
        };
        assert_ne!(edited.as_bytes(), good);
        place.write(file, edited);
        rank(&place, "").does_not_hold(&[text]);
        place.write(file, good);
        rank(&place, "").ok();
    }
    fs::remove_file(place.path("cup/log/00000002.json")).unwrap();
    rank(&place, "").does_not_hold(&["log entry 2 is missing"]);
}

#[test]
fn another_test_set_or_seal_is_not_published() {
    let place = registered();
    let csv = fs::read_to_string(digits("test.csv")).unwrap();
    place.write("other.csv", csv.replacen(",0,", ",1,", 1));
    let publish = "competition publish cup --key host.key";
    place
        .tacit(&format!("{publish} --seal seal.secret --data other.csv"), &[])
        .fails(1, &["other.csv is not the sealed test set", "name the file that was sealed"]);
    place.take(&elsewhere(), "seal.secret", "other.secret");
    place
        .tacit(&format!("{publish} --seal other.secret --data {{}}"), &[&digits("test.csv")])
        .fails(1, &["salt and digest are not those", "name the seal that was written"]);
    place
        .tacit(&format!("{publish} --seal host.key --data other.csv"), &[])
        .fails(2, &["expected a file of the kind `seal of a test set`, found `owner's key`"]);
    assert!(!place.path("cup/published").exists());
    let mut bad = place.read("seal.secret");
    bad.push(b'\n');
    place.write("bad.secret", bad);
    let run = place.tacit(&format!("{publish} --seal bad.secret --data other.csv"), &[]);
    run.fails(2, &["bad.secret: is not in canonical form", "restore the seal from a copy"]);
}

#[test]
fn receipts_that_were_tampered_with_show_nothing() {
    let place = registered();
    let good = place.read("weak.receipt");
    for at in (0..good.len()).step_by(23) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        place.write("bad.receipt", bad);
        let run = rank(&place, "--receipt bad.receipt");
        assert!(matches!(run.code, 1 | 2), "flipped byte {at}: {run:?}");
    }
    for (bytes, text) in [
        (&good[..good.len() - 1], "bad.receipt: cannot be read"),
        (&place.read("weak/card.json")[..], "found `card`"),
        (b"{}", "bad.receipt: has the format (none named)"),
    ] {
        place.write("bad.receipt", bytes);
        rank(&place, "--receipt bad.receipt").fails(2, &[text]);
    }
    rank(&place, "--receipt none.receipt").fails(2, &["none.receipt", "check the path"]);
    let other = Place::new();
    copy(&models().path("."), &other.path("."));
    other.tacit(INIT, &[&digits("schema.json"), &digits("test.csv")]).ok();
    register(&other, "weak", "weak", "--host-key host.key --receipt weak.receipt").ok();
    place.take(&other, "weak.receipt", "other.receipt");
    rank(&place, "--receipt other.receipt").does_not_hold(&["the receipt is of another competition"]);
    rank(&place, "--head weak.receipt").fails(2, &["expected a signed head", "receipt of a registration"]);
    place.write("no.head", "no note at all");
    rank(&place, "--head no.head").does_not_hold(&["the head that you hold is not a signed note"]);
    let unknown = "ab".repeat(32);
    rank(&place, &format!("--expect {unknown}")).fails(3, &[&unknown, "ask the host"]);
}

#[test]
fn groups_and_what_is_better_small_are_ranked_too() {
    let place = Place::new();
    copy(&models().path("."), &place.path("."));
    let csv = fs::read_to_string(digits("test.csv")).unwrap();
    let rows = csv.lines().enumerate().map(|(i, line)| match i {
        0 => format!("{line},site\n"),
        i => format!("{line},{}\n", ["north", "south", "west"][i % 3]),
    });
    place.write("test.csv", rows.collect::<String>());
    let schema = digits("schema.json");
    for (metric, by, claims, shown) in [
        // The groups are sealed with the test set, and the metric is over all records.
        ("accuracy", "--by site", ["--at-least 95%", "--at-least 60%"], ["342 of 360", "216 of 360"]),
        (
            "accuracy by site",
            "",
            ["--claim accuracy>=0.9|site", "--claim accuracy>=0.5|site"],
            ["90.00 %", "50.00 %"],
        ),
        (
            "gap(accuracy) by site",
            "--by site",
            ["--claim gap(accuracy)<=0.05|site", "--claim gap(accuracy)<=0.3|site"],
            ["5.00 %", "30.00 %"],
        ),
        (
            "false_positive_rate[3]",
            "",
            ["--claim false_positive_rate[3]<=0.1", "--claim false_positive_rate[3]<=0.2"],
            ["10.00 %", "20.00 %"],
        ),
    ] {
        let line = INIT.replace("accuracy", "{}").replace("--data {}", "--data test.csv") + " " + by;
        place.tacit(line.trim_end(), &[&schema, metric]).ok();
        for name in ["weak", "logistic"] {
            register(&place, name, name, "--host-key host.key").ok();
        }
        place.tacit("competition publish cup --seal seal.secret --data test.csv --key host.key", &[]).ok();
        for (name, claims) in ["logistic", "weak"].iter().zip(claims) {
            let claims = claims.replace("|site", " --by site");
            prove(&place, name, &claims, "a.proof");
            place.tacit("competition submit cup a.proof", &[]).ok();
            fs::remove_file(place.path("a.proof")).unwrap();
        }
        let board = ranked(&place);
        assert_eq!((reasons(&board), &board["metric"]), (Vec::new(), &metric.into()), "{board}");
        for (i, name) in ["logistic", "weak"].iter().enumerate() {
            let standing = &board["standings"][i];
            assert_eq!(standing["name"], *name, "{metric}: {board}");
            assert!(standing["proved"].as_str().unwrap().contains(shown[i]), "{metric}: {board}");
        }
        for name in ["cup", "seal.secret"] {
            let path = place.path(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    }
}

#[test]
fn a_verdict_is_signed_and_checked() {
    let place = published();
    let fingerprint = |file: &str| key(&place, file).public().fingerprint().to_string();
    let (auditor, other) = (fingerprint("host.key"), fingerprint("weak/owner.key"));
    let verify =
        "verify logistic.proof --card logistic/card.json --data cup/published/test.csv --attest host.key";
    let run = place.tacit(verify, &[]).ok();
    assert!(run.out.contains("signed verdict") && run.out.contains(&auditor), "{run:?}");
    place.tacit(verify, &[]).fails(2, &["logistic.proof.verdict.json already exists", "--force"]);
    place.tacit(&format!("{verify} --force"), &[]).ok();
    let check = format!("attestation logistic.proof.verdict.json --verifier {auditor}");
    let run = place.tacit(&check, &[]).ok();
    assert!(run.out.starts_with(&format!("HOLDS, says {auditor}\nThe model of card ")), "{run:?}");
    let id = card(&place, "logistic").id().to_string();
    let run = place.tacit(&format!("{check} --proof logistic.proof --expect-card {id} --json"), &[]).ok();
    let verdict = run.json();
    assert_eq!((&verdict["holds"], &verdict["card_id"]), (&true.into(), &(&*id).into()));
    assert!(verdict["claim"].as_str().unwrap().contains("at least 351 of 360 right"), "{verdict}");

    // Somebody else's word, another proof, another card.
    let run = place.tacit(&check.replace(&auditor, &other), &[]);
    run.does_not_hold(&["not by the expected verifier"]);
    let unknown = "ab".repeat(32);
    place
        .tacit(&format!("{check} --expect-card {unknown}"), &[])
        .does_not_hold(&["the verdict is about card"]);
    prove(&place, "logistic", "--at-least 90%", "second.proof");
    place
        .tacit(&format!("{check} --proof second.proof"), &[])
        .does_not_hold(&["the verdict is about the proof file"]);
    place.tacit("attestation logistic.proof --verifier {}", &[&auditor]).fails(2, &["found `proof`"]);
    place.tacit("attestation logistic.proof.verdict.json --verifier tacit1abc", &[]).usage("fingerprint");

    // Tampered with: nothing that is read is other than what was signed.
    let good = place.read("logistic.proof.verdict.json");
    let claim = verdict["claim"].clone();
    for at in (0..good.len()).step_by(41) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        place.write("bad.json", bad);
        let run = place.tacit(&format!("attestation bad.json --verifier {auditor} --json"), &[]);
        assert!(run.code != 0 || run.json()["claim"] == claim, "flipped byte {at}: {run:?}");
    }

    // A verdict against is a verdict, where it is the proof that fails.
    let mut bytes = place.read("logistic.proof");
    *bytes.last_mut().unwrap() ^= 1;
    place.write("bad.proof", bytes);
    let run = place.tacit(
        &format!("{} --attestation bad.json --force", verify.replace("logistic.proof", "bad.proof")),
        &[],
    );
    let run = run.does_not_hold(&[]);
    assert!(run.err.contains("the verdict against it is signed: bad.json"), "{run:?}");
    let check = format!("attestation bad.json --verifier {auditor} --proof bad.proof");
    let run = place.tacit(&check, &[]).does_not_hold(&[&format!("says {auditor}: ")]);
    assert!(run.err.contains("the verifier refused the proof"), "{run:?}");
    let run = place.run(["inspect", "bad.json"]).ok();
    assert!(run.out.contains("DOES NOT HOLD, says"), "{run:?}");
    // What was not judged is not signed.
    let run = place.tacit(&format!("{verify} --context elsewhere --attestation none.json"), &[]);
    let run = run.does_not_hold(&["not for `elsewhere`"]);
    assert!(run.err.contains("no verdict was signed") && !place.path("none.json").exists(), "{run:?}");
    place.tacit(&format!("{verify} --attestation host.key --force"), &[]).fails(2, &["also an input"]);
    place.tacit(&format!("{verify} --allow-dev-srs"), &[]).usage("cannot be used with");
}

#[test]
fn inspect_knows_what_belongs_to_a_competition_and_keeps_its_secret() {
    let place = published();
    let verify =
        "verify logistic.proof --card logistic/card.json --data cup/published/test.csv --attest host.key";
    place.tacit(verify, &[]).ok();
    register(&place, "logistic2", "logistic2", "").fails(2, &["owner.key"]);
    let request = fs::read_dir(place.path("cup/requests")).unwrap().next().unwrap().unwrap().path();
    let request = request.display().to_string();
    let seal: Value = serde_json::from_slice(&place.read("seal.secret")).unwrap();
    for (file, kind, secret, text) in [
        ("cup/competition.json", "competition", false, "ranked by"),
        ("cup/log/00000000.json", "entry of a competition's log", false, "opening"),
        ("cup/log/00000001.json", "entry of a competition's log", false, "registration"),
        ("cup/log/00000003.json", "entry of a competition's log", false, "publication"),
        (&request, "request to compete", false, "competitor"),
        ("weak.receipt", "receipt of a registration", false, "weak"),
        ("seal.secret", "seal of a test set", true, "opens"),
        ("logistic.proof.verdict.json", "signed verdict", false, "HOLDS, says"),
    ] {
        let run = place.run(["inspect", file]).ok();
        assert!(
            run.out.contains(kind) && run.out.contains(text) && run.out.contains("it reveals"),
            "{run:?}"
        );
        let json = place.run(["inspect", file, "--json"]).ok();
        assert_eq!(
            (json.json()["kind"].as_str(), json.json()["secret"].as_bool()),
            (Some(kind), Some(secret))
        );
        if file == "seal.secret" {
            for shown in [&run.out, &json.out] {
                for hidden in ["salt", "test_set"] {
                    assert!(!shown.contains(seal[hidden].as_str().unwrap()), "{shown}");
                }
            }
        }
        let mut bad = place.read(file);
        let middle = bad.len() / 2;
        bad[middle] ^= 0x80;
        place.write("bad", bad);
        place.run(["inspect", "bad"]).fails(2, &["bad"]);
    }
}

#[test]
fn every_subcommand_has_help_with_an_example() {
    let place = Place::new();
    for command in ["init", "register", "accept", "publish", "context", "submit", "receipt", "rank"] {
        let run = place.tacit(&format!("competition {command} --help"), &[]).ok();
        assert!(run.out.contains("Example"), "{run:?}");
        assert!(run.out.contains("tacit competition"), "{run:?}");
    }
    for command in ["attestation", "demo kaggle"] {
        let run = place.tacit(&format!("{command} --help"), &[]).ok();
        assert!(run.out.contains("Example") && run.out.contains(&format!("tacit {command}")), "{run:?}");
    }
}

#[test]
fn the_demo_tells_the_whole_story_and_refuses_every_cheat() {
    let place = Place::new();
    let run = place.tacit("demo kaggle", &[]).ok();
    for text in [
        "353 of 360 (98.05 %)",
        "244 of 360 correct, 342 needed",
        "The log is sound",
        "refused (registered after the test set was published",
        "The leaderboard stands, and all 13 attempts to cheat were refused.",
    ] {
        assert!(run.out.contains(text), "no `{text}` in {run:?}");
    }
    assert!(!run.out.contains("NOT REFUSED") && run.err.is_empty(), "{run:?}");
    assert_eq!(place.files(), [""; 0]);

    let run = place.tacit("demo kaggle --keep kept --json", &[]).ok();
    let story = run.json();
    assert_eq!((&story["attacks_refused"], &story["holds"]), (&13.into(), &true.into()));
    assert!(story["attacks"].as_array().unwrap().iter().all(|a| a["refused"] == true), "{story}");
    let scores: Vec<&Value> = story["standings"].as_array().unwrap().iter().map(|s| &s["score"][0]).collect();
    assert_eq!(scores, [353, 342, 244]);
    // What it kept is a competition like any other.
    let run = place.tacit("competition rank kept/cup --receipt kept/ada/receipt.json", &[]).ok();
    assert!(run.out.contains("What does not count") && run.out.contains("353 of 360"), "{run:?}");
    place
        .tacit("competition rank kept/forged/rewritten --receipt kept/ada/receipt.json", &[])
        .does_not_hold(&["rewritten"]);
    place.tacit("demo kaggle --keep kept", &[]).fails(2, &["kept holds files already"]);
}
