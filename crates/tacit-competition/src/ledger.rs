//! The rules: which registrations count, replayed from the log by host and verifier alike.

use std::collections::{HashMap, HashSet};

use tacit_claim::{Bundle, Card, CardId, CardPoints, OwnerPublicKey};

use crate::competition::Competition;
use crate::entry::{Entry, Event, Publication, Registration};
use crate::error::Reason;
use crate::folder::Folder;
use crate::ids::FileDigest;
use crate::text::DisplayName;

/// Longest `card.json` that is read, in bytes.
const MAX_CARD: usize = 32 << 20;
/// Longest `card.points` that is read, in bytes.
const MAX_POINTS: usize = 64 << 20;
/// Longest proof file that is read, in bytes.
pub(crate) const MAX_PROOF: usize = 96 << 20;

/// Folder of a card's files.
pub(crate) fn card_folder(card: CardId) -> String {
    format!("cards/{card}")
}

/// A registration that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The log's entry.
    pub entry: u64,
    /// The card.
    pub card: CardId,
    /// Its owner, who takes part.
    pub owner: OwnerPublicKey,
    /// What they want to be called.
    pub name: DisplayName,
}

/// Where a replay of the log stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    registered: Vec<Registered>,
    cards: HashMap<CardId, u64>,
    taken: HashSet<FileDigest>,
    /// By the first registration that each owner signed, whether or not it counts.
    owners: HashMap<[u8; 32], u64>,
    publication: Option<(u64, Publication)>,
}

impl Ledger {
    /// Registrations that count, in the order of the log.
    pub(crate) fn registered(&self) -> &[Registered] {
        &self.registered
    }

    /// The registration of a card.
    pub(crate) fn of_card(&self, card: CardId) -> Option<&Registered> {
        self.registered.iter().find(|r| r.card == card)
    }

    /// The first publication and its entry.
    pub(crate) const fn publication(&self) -> Option<&(u64, Publication)> {
        self.publication.as_ref()
    }

    /// Whether this very request was taken into the log, in time or late.
    pub(crate) fn took(&self, registration: &Registration) -> bool {
        self.taken.contains(&FileDigest::of(&registration.to_json()))
    }

    /// Takes the next entry of the log. One that does not count is passed over, with the reason.
    ///
    /// That a publication opens the seal is checked here; that the file is the one published is not.
    pub(crate) fn apply(
        &mut self,
        folder: &Folder,
        competition: &Competition,
        entry: &Entry,
    ) -> Result<(), Reason> {
        match entry.event() {
            Event::Opening => Ok(()),
            Event::Registration(registration) => {
                let checked = self.check(folder, competition, registration);
                // The first registration that an owner signed is the only one, so that a card that went
                // missing since makes no room for another.
                if registration.competition() == competition.id() && registration.verify().is_ok() {
                    self.owners.entry(registration.owner().to_bytes()).or_insert(entry.index());
                }
                checked?;
                self.cards.insert(registration.card(), entry.index());
                self.taken.insert(FileDigest::of(&registration.to_json()));
                if let Some((published, _)) = &self.publication {
                    return Err(Reason::Late(*published));
                }
                self.registered.push(Registered {
                    entry: entry.index(),
                    card: registration.card(),
                    owner: *registration.owner(),
                    name: registration.name().clone(),
                });
                Ok(())
            }
            Event::Publication(publication) => {
                let checked = self.check_entry(folder, competition, entry);
                self.publication.get_or_insert((entry.index(), publication.clone()));
                checked
            }
        }
    }

    /// Whether an entry would count if the log took it now, lateness aside.
    pub(crate) fn check_entry(
        &self,
        folder: &Folder,
        competition: &Competition,
        entry: &Entry,
    ) -> Result<(), Reason> {
        match (entry.event(), &self.publication) {
            (Event::Opening, _) => Ok(()),
            (Event::Registration(registration), _) => self.check(folder, competition, registration),
            (Event::Publication(_), Some((published, _))) => Err(Reason::Republished(*published)),
            (Event::Publication(p), None) if p.sealed() != competition.terms().test_set => Err(Reason::Seal),
            (Event::Publication(_), None) => Ok(()),
        }
    }

    /// Whether a registration would count if the log took it now, lateness aside.
    pub(crate) fn check(
        &self,
        folder: &Folder,
        competition: &Competition,
        registration: &Registration,
    ) -> Result<(), Reason> {
        if registration.competition() != competition.id() {
            return Err(Reason::OtherCompetition);
        }
        registration.verify()?;
        if let Some(first) = self.cards.get(&registration.card()) {
            return Err(Reason::SameCard(*first));
        }
        if let Some(first) = self.owners.get(&registration.owner().to_bytes()) {
            return Err(Reason::SameOwner(*first));
        }
        let (card, _) = load_card(folder, registration.card())?;
        check_card(competition, &card, registration.owner())
    }
}

/// Whether a card may be registered by this owner.
pub(crate) fn check_card(
    competition: &Competition,
    card: &Card,
    claimed: &OwnerPublicKey,
) -> Result<(), Reason> {
    if card.owner() != claimed {
        let (owner, claimed) = (card.owner().fingerprint(), claimed.fingerprint());
        return Err(Reason::NotOwner { owner, claimed });
    }
    if competition.is_for(card) { Ok(()) } else { Err(Reason::Schema) }
}

/// Whether these points, or none, are those that the card names.
pub(crate) fn check_points(card: &Card, points: Option<&CardPoints>) -> Result<(), Reason> {
    let fits = match (&card.commitments().sumcheck, points) {
        (Some(sumcheck), Some(points)) => points.certificate_digest() == sumcheck.parameters.certificate,
        (Some(sumcheck), None) => sumcheck.parameters.points.is_some(),
        (None, points) => points.is_none(),
    };
    if fits { Ok(()) } else { Err(Reason::OtherPoints) }
}

/// A card of the folder with the points beside it, where it does not carry them itself.
pub(crate) fn load_card(folder: &Folder, id: CardId) -> Result<(Card, Option<CardPoints>), Reason> {
    let file = |e: crate::CompetitionError| Reason::File(e.to_string());
    let name = format!("{}/card.json", card_folder(id));
    if !folder.has(&name) {
        return Err(Reason::NoCard(id));
    }
    let card = Card::from_json(&folder.read(&name, MAX_CARD).map_err(file)?)?;
    if card.id() != id {
        return Err(Reason::Content);
    }
    let name = format!("{}/card.points", card_folder(id));
    let is_needed = card.commitments().sumcheck.is_some() && card.inline_points().is_none();
    let points = match is_needed {
        true if folder.has(&name) => {
            Some(CardPoints::from_bytes(&folder.read(&name, MAX_POINTS).map_err(file)?)?)
        }
        _ => None,
    };
    check_points(&card, points.as_ref())?;
    Ok((card, points))
}

/// What can be said of a proof without verifying it: it is about the registered card, for this competition
/// and this submitter.
pub(crate) fn check_bundle(
    competition: &Competition,
    registered: &Registered,
    bundle: &Bundle,
) -> Result<(), Reason> {
    let claim = bundle.claim();
    if claim.card_id != registered.card {
        return Err(Reason::OtherCard { expected: registered.card, actual: claim.card_id });
    }
    let expected = competition.context(&registered.owner);
    if claim.context != expected {
        return Err(Reason::OtherContext { expected, actual: claim.context.clone() });
    }
    Ok(())
}
