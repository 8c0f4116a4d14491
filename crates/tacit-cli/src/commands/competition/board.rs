//! The leaderboard, as people and scripts see it.

use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};
use tacit_competition::{Head, Known, Leaderboard, Refused, Registered};
use tacit_core::files::{self, Access};

use super::judge::Ranking;
use super::{judge, known, opened, tell_head};
use crate::args::competition::Rank;
use crate::failure::Failure;
use crate::outputs;
use crate::progress::Spinner;
use crate::report::{BOLD, GOOD, PLAIN, Report, count, plain, table};

/// Columns of a terminal that is not there to ask.
const WIDTH: u16 = 80;

pub(super) fn rank(args: &Rank) -> Result<Report, Failure> {
    outputs::check(args.keep_head.as_deref(), &[], args.force.force)?;
    let folder = opened(&args.folder)?;
    let known = known(&args.pins, &args.receipts)?;
    let ranking = Ranking::of(&folder.competition(args.pins.expect)?)
        .map_err(|e| Failure::new(e).advise("ask the host: this version of tacit cannot rank it"))?;
    let judge = judge()?;
    let spinner = Spinner::new("verifying every proof");
    let board = folder.leaderboard(&judge, &known)?;
    drop(spinner);
    if let Some(path) = &args.keep_head {
        files::write(path, board.head.note().as_bytes(), Access::Public, args.force.force)?;
    }
    let mut report = Report::default();
    let terms = board.competition.terms();
    report.line(BOLD, format!("«{}», ranked by {}", terms.name, plain(terms.metric.as_str())));
    report.table(leaderboard_table(&board, &ranking));
    tell_refused(&mut report, &board);
    let checked = known.receipts.len() + known.heads.len();
    report.line(GOOD, "The log is sound");
    report.field("competition", board.competition.id().to_string());
    report.field("host", board.competition.host().fingerprint().to_string());
    tell_head(&mut report, &board.head);
    report.field(
        "continues",
        match checked {
            0 => "nothing was given to compare it with".to_owned(),
            1 => "the receipt or head given".to_owned(),
            n => format!("each of the {n} receipts and heads given"),
        },
    );
    report.field(
        "test set",
        match &board.publication {
            Some((entry, publication)) => {
                format!("published by entry {entry}, as it was sealed: {}", publication.test_set)
            }
            None => "sealed, not published yet".to_owned(),
        },
    );
    if let Some(path) = &args.keep_head {
        report.field("head kept as", path.display().to_string());
        report.set("kept_head", path.display().to_string());
    }
    notes(&mut report, args, &board, &known);
    set(&mut report, &board, &ranking);
    report.set("compared_with", checked);
    Ok(report)
}

fn notes(report: &mut Report, args: &Rank, board: &Leaderboard, known: &Known) {
    let checked = known.receipts.len() + known.heads.len();
    if args.pins.expect.is_none() {
        report.note("is that the competition you were told of? Pin its id with --expect");
    }
    if checked == 0 {
        report.note(
            "a host can show different logs to different people: competitors find that out with --receipt, anybody who \
             looked before with --head",
        );
    }
    if let Some((published, _)) = &board.publication
        && checked > 0
        && !covers(known, board, *published)
    {
        report.note(
            "what was given is older than the publication: it does not show that nobody was slipped in before it; make the \
             receipt anew with `tacit competition receipt`, or keep a head, and keep them",
        );
    }
    if board.unsigned > 0 {
        report.note(format!(
            "the host has not signed the last {} of the log yet: nothing here depends on what is there",
            count(board.unsigned as usize, "file")
        ));
    }
}

/// Whether a head that was given counts the publication.
fn covers(known: &Known, board: &Leaderboard, published: u64) -> bool {
    let competition = &board.competition;
    let receipts = known.receipts.iter().filter_map(|receipt| receipt.verify(competition).ok());
    let open = |note: &Vec<u8>| Head::open(note, &competition.log_name(), competition.host()).ok();
    receipts.chain(known.heads.iter().filter_map(open)).any(|head| head.size() > published)
}

/// A table no wider than the terminal, or than most are.
pub(super) fn fitted(mut table: Table) -> Table {
    let width = table.width().map_or(WIDTH, |w| w.min(WIDTH));
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table
}

/// Who stands where, and who has proved nothing.
pub(crate) fn leaderboard_table(board: &Leaderboard, ranking: &Ranking) -> Table {
    let mut shown = table(&["", "competitor", ranking.heading(), "owner"]);
    let row = |rank: String, who: &Registered, score: String| {
        [rank, plain(who.name.as_str()), score, short_owner(&who.owner.fingerprint().to_string())]
    };
    for standing in &board.standings {
        let score = ranking.score_text(standing.score.value);
        shown.add_row(row(standing.rank.to_string(), &standing.competitor, score));
    }
    for competitor in &board.unproved {
        shown.add_row(row("–".to_owned(), competitor, "nothing".to_owned()));
    }
    if board.standings.is_empty() && board.unproved.is_empty() {
        shown.add_row(["–", "nobody is registered", "", ""]);
    }
    fitted(shown)
}

/// The beginning of a fingerprint: sixty bits.
fn short_owner(fingerprint: &str) -> String {
    format!("{}…", fingerprint.chars().take(18).collect::<String>())
}

/// A name in the folder with its digests cut short.
pub(crate) fn short_name(file: &str) -> String {
    let part = |part: &str| {
        let (stem, extension) = part.split_once('.').map_or((part, None), |(s, e)| (s, Some(e)));
        let is_digest = stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
        match (is_digest, extension) {
            (false, _) => part.to_owned(),
            (true, Some(extension)) => format!("{}….{extension}", &stem[..12]),
            (true, None) => format!("{}…", &stem[..12]),
        }
    };
    file.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn tell_refused(report: &mut Report, board: &Leaderboard) {
    if board.refused.is_empty() {
        return;
    }
    report.line(BOLD, "What does not count");
    for Refused { file, reason } in &board.refused {
        report.line(PLAIN, format!("- {}", short_name(file)));
        report.line(PLAIN, format!("  {reason}"));
    }
}

pub(super) fn refused_json(refused: &Refused) -> Value {
    json!({ "file": refused.file, "reason": plain(&refused.reason.to_string()) })
}

fn registered_json(who: &Registered) -> Value {
    json!({
        "entry": who.entry,
        "card_id": who.card.to_string(),
        "owner": who.owner.fingerprint().to_string(),
        "name": plain(who.name.as_str()),
    })
}

fn set(report: &mut Report, board: &Leaderboard, ranking: &Ranking) {
    let standings = board.standings.iter().map(|standing| {
        let mut value = registered_json(&standing.competitor);
        let score = standing.score.value;
        value["rank"] = standing.rank.into();
        value["proved"] = ranking.score_text(score).into();
        value["score"] = json!([score.numerator(), score.denominator()]);
        value["claim"] = standing.score.sentence.clone().into();
        value["proof_sha256"] = standing.proof.to_string().into();
        value
    });
    report.set("holds", true);
    report.set("competition", board.competition.id().to_string());
    report.set("name", plain(board.competition.terms().name.as_str()));
    report.set("metric", plain(board.competition.terms().metric.as_str()));
    report.set("standings", standings.collect::<Vec<_>>());
    report.set("unproved", board.unproved.iter().map(registered_json).collect::<Vec<_>>());
    report.set("refused", board.refused.iter().map(refused_json).collect::<Vec<_>>());
    report.set("unsigned_entries", board.unsigned);
    report.set("published", board.publication.as_ref().map(|(entry, _)| *entry));
    let digest = board.publication.as_ref().map(|(_, publication)| publication.test_set.to_string());
    report.set("dataset_digest", digest);
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn digests_are_cut_short_and_nothing_else_is() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(
            short_name(&format!("submissions/{digest}/{digest}.proof")),
            "submissions/0123456789ab…/0123456789ab….proof"
        );
        assert_eq!(short_name("log/00000003.json"), "log/00000003.json");
        assert_eq!(short_name("requests/\\u{202e}.x"), "requests/\\u{202e}.x");
    }
}
