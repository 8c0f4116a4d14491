//! `tacit provider`

mod work;

use std::path::Path;

use rand_core::OsRng;
use tacit_client::provider::{Lifetimes, PrekeyStore, Publication};
use tacit_core::files::{self, Access};
use tacit_exchange::key_file;

use super::relay;
use crate::args::exchange::{Provider, ProviderInit, ProviderPublish};
use crate::failure::Failure;
use crate::keys::{fresh, new_passphrase, owner_key};
use crate::load;
use crate::outputs;
use crate::progress::Spinner;
use crate::report::{BOLD, Report, plain};

pub(crate) fn run(args: &Provider, json: bool) -> Result<Report, Failure> {
    match args {
        Provider::Init(args) => init(args),
        Provider::Publish(args) => publish(args),
        Provider::Work(args) => work::run(args, json),
    }
}

fn init(args: &ProviderInit) -> Result<Report, Failure> {
    let path = args.folder.join("owner.key");
    outputs::check_folder(&args.folder)?;
    if path.symlink_metadata().is_ok() {
        return Err(Failure::new(format!(
            "{} already exists, and an identity is never replaced",
            path.display()
        ))
        .advise("choose another folder; `tacit inspect` prints the fingerprint of the identity there"));
    }
    let key = fresh();
    let text = if args.passphrase || args.unlock.passphrase_file.is_some() {
        key_file::encrypt(&key, &new_passphrase(&args.unlock)?, &mut OsRng)
            .map(zeroize::Zeroizing::new)
            .map_err(|e| Failure::new(e.to_string()))?
    } else {
        key.to_text()
    };
    files::write(&path, text.as_bytes(), Access::Secret, false)?;
    let fingerprint = key.public().fingerprint().to_string();
    let mut report = Report::default();
    report.line(BOLD, "Made a provider's identity");
    report.field("fingerprint", fingerprint.clone());
    report.field("your identity", format!("{} (new; keep a copy)", path.display()));
    report.note("give the fingerprint to patients yourself, not through a relay: it is what they pin");
    report.note(format!("next: tacit commit MODEL.tacit --key {} -o card", path.display()));
    report.set("fingerprint", fingerprint);
    report.set("key", path.display().to_string());
    report.set("encrypted", key_file::is_encrypted(text.as_bytes()));
    Ok(report)
}

fn publish(args: &ProviderPublish) -> Result<Report, Failure> {
    let card = load::card(&args.card)?;
    let points = load::points(&args.card, &card)?;
    let key = owner_key(&args.key, &args.unlock)?;
    let relay = relay::client(&args.relay)?;
    let store = PrekeyStore::beside(&args.key, card.id());
    let publication = Publication {
        key: &key,
        card: &card,
        points: points.as_ref(),
        store: &store,
        lifetimes: Lifetimes::default(),
    };
    let spinner = Spinner::new("publishing");
    let published = publication.publish(&relay, args.contact.as_deref(), &mut OsRng)?;
    drop(spinner);
    let document = &published.document;
    let (id, fingerprint) = (card.id().to_string(), card.owner().fingerprint().to_string());
    let mut report = Report::default();
    report.line(BOLD, format!("Published «{}» at {}", card.name(), relay.address()));
    report.field("card id", id.clone());
    report.field("fingerprint", fingerprint.clone());
    report.field("contact", document.contact().map_or_else(|| "none given".to_owned(), plain));
    report.field(
        "requests until",
        format!("{}, or as `tacit provider work` renews", days(document.expires_at())),
    );
    report.field("prekeys", format!("{} (secret, encrypted)", store.file().display()));
    report.note(format!("patients need the id and the fingerprint from you: tacit patient send --relay {} --card {id} --pin {fingerprint} --input record.csv -o request.secret", relay.address()));
    report.note("nothing is answered until `tacit provider work` runs");
    if published.foreign > 0 {
        report.warn(foreign_prekeys(published.foreign, &store.file()));
    }
    report.set("card_id", id);
    report.set("fingerprint", fingerprint);
    report.set("relay", relay.address().to_string());
    report.set("contact", document.contact());
    report.set("expires_at", document.expires_at());
    report.set("prekey_made", published.made.map(|id| id.to_string()));
    report.set("prekeys_deleted", published.forgotten);
    Ok(report)
}

/// What to do about prekeys of the card that lie elsewhere.
fn foreign_prekeys(count: usize, file: &Path) -> String {
    format!(
        "the relay listed {} of this card that {} not hold: they are withdrawn, and what was sealed to them cannot be opened \
         with it. If another worker runs with another prekeys folder, stop one of them and let both share one; if the folder was \
         lost, nothing is to be done",
        crate::report::count(count, "prekey"),
        format_args!("{} does", file.display()),
    )
}

/// How far away a time is, in words.
fn days(unix: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    match unix.saturating_sub(now).div_ceil(3600) {
        hours @ 0..=48 => format!("{hours} hours from now"),
        hours => format!("{} days from now", hours / 24),
    }
}
