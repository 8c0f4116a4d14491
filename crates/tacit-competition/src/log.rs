//! The log as it stands in the folder, read whole and checked against every head that the host is known to
//! have signed.
//!
//! An entry counts once a signed head counts it. The host writes entries first and the head after them, both
//! under names that were free: whatever was interrupted is either not there, or an entry that no head counts
//! and that the host's next run signs, if it is one that the host would write.

use std::collections::BTreeMap;

use tacit_claim::OwnerKey;

use crate::competition::{Competition, MAX_COMPETITION};
use crate::entry::{Entry, Event, MAX_ENTRIES, MAX_ENTRY};
use crate::error::{CompetitionError, EntryProblem, HeadSource};
use crate::folder::Folder;
use crate::head::{Head, MAX_NOTE};
use crate::ids::{CompetitionId, TreeHash};
use crate::receipt::Receipt;
use crate::tree::Tree;

pub(crate) const COMPETITION: &str = "competition.json";
pub(crate) const HEADS: &str = "heads";

/// Name of an entry's file.
pub(crate) fn entry_name(index: u64) -> String {
    format!("log/{index:08}.json")
}

/// Name of a head's file.
pub(crate) fn head_name(size: u64) -> String {
    format!("{HEADS}/{size:08}")
}

/// What the caller knows of a competition without its folder. The more, the less a host can change unseen.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its id, which binds the terms and the host's key.
    pub competition: Option<CompetitionId>,
    /// Receipts, as they were read.
    pub receipts: Vec<Receipt>,
    /// Notes with heads of the log that were seen before.
    pub heads: Vec<Vec<u8>>,
}

/// A competition's log up to its last signed head.
#[derive(Debug, Clone)]
pub struct Log {
    competition: Competition,
    entries: Vec<Entry>,
    tree: Tree,
    head: Head,
    /// Number of entries' files behind the head.
    unsigned: u64,
}

impl Folder {
    /// Reads `competition.json`; its signature holds. With `pinned`, it is that competition.
    ///
    /// # Errors
    /// [`CompetitionError`].
    pub fn competition(&self, pinned: Option<CompetitionId>) -> Result<Competition, CompetitionError> {
        let competition = Competition::from_json(&self.read(COMPETITION, MAX_COMPETITION)?)?;
        match pinned.filter(|id| *id != competition.id()) {
            None => Ok(competition),
            Some(expected) => Err(CompetitionError::OtherCompetition { expected, actual: competition.id() }),
        }
    }

    /// Reads the log and checks it: every signed head in the folder, in `known` receipts and `known` heads is
    /// one of this very log, and every entry up to the last head is there and well-formed.
    ///
    /// # Errors
    /// [`CompetitionError::Rewritten`] and [`CompetitionError::Shortened`] are evidence against the host or
    /// whoever writes to the folder.
    pub fn log(&self, known: &Known) -> Result<Log, CompetitionError> {
        let competition = self.competition(known.competition)?;
        let heads = self.heads(&competition)?;
        let head = heads.last_key_value().map(|(_, head)| head.clone()).ok_or(CompetitionError::NoHead)?;
        let mut promised: Vec<(u64, TreeHash, HeadSource)> =
            heads.values().map(|h| (h.size(), h.root().hash, HeadSource::Folder)).collect();
        for receipt in &known.receipts {
            let head = receipt.verify(&competition)?;
            let card = receipt.registration().map(|r| HeadSource::Receipt(r.card()));
            promised.push((head.size(), head.root().hash, card.unwrap_or(HeadSource::Held)));
        }
        for note in &known.heads {
            let head = Head::open(note, &competition.log_name(), competition.host())
                .map_err(CompetitionError::HeldHead)?;
            promised.push((head.size(), head.root().hash, HeadSource::Held));
        }
        promised.sort_by_key(|(size, ..)| *size);
        if let Some((expected, _, shown_by)) = promised.last().filter(|(size, ..)| *size > head.size()) {
            let (expected, actual, shown_by) = (*expected, head.size(), *shown_by);
            return Err(CompetitionError::Shortened { expected, actual, shown_by });
        }
        let tree = self.tree(head.size(), &promised)?;
        let entries = entries(&competition, &tree)?;
        let unsigned = self.unsigned(head.size());
        Ok(Log { competition, entries, tree, head, unsigned })
    }

    /// Every signed head in the folder, by size. Files with other names are none.
    fn heads(&self, competition: &Competition) -> Result<BTreeMap<u64, Head>, CompetitionError> {
        let mut heads = BTreeMap::new();
        for name in self.list(HEADS)? {
            let Some(size) = name.parse().ok().filter(|size| head_name(*size) == format!("{HEADS}/{name}"))
            else {
                continue;
            };
            let note = self.read(&head_name(size), MAX_NOTE)?;
            let open = Head::open(&note, &competition.log_name(), competition.host());
            let head = open.map_err(|source| CompetitionError::Head { size, source })?;
            if head.size() != size || size > MAX_ENTRIES {
                return Err(CompetitionError::Head { size, source: crate::head::HeadError::Checkpoint });
            }
            heads.insert(size, head);
        }
        Ok(heads)
    }

    /// The tree of the first `size` entries, which passes through every promised root.
    fn tree(&self, size: u64, promised: &[(u64, TreeHash, HeadSource)]) -> Result<Tree, CompetitionError> {
        let mut tree = Tree::new();
        let mut promised = promised.iter().peekable();
        loop {
            let root = tree.root();
            while let Some((size, hash, shown_by)) = promised.next_if(|(size, ..)| *size == root.size) {
                if *hash != root.hash {
                    return Err(CompetitionError::Rewritten { size: *size, shown_by: *shown_by });
                }
            }
            if root.size == size {
                return Ok(tree);
            }
            let name = entry_name(root.size);
            if !self.has(&name) {
                return Err(CompetitionError::MissingEntry { index: root.size, size });
            }
            tree.push(self.read(&name, MAX_ENTRY)?);
        }
    }

    /// Number of files of entries behind the last head.
    fn unsigned(&self, size: u64) -> u64 {
        (size..MAX_ENTRIES).take_while(|index| self.has(&entry_name(*index))).count() as u64
    }
}

/// The entry in a file, if it is the one for this place.
pub(crate) fn entry_at(competition: &Competition, index: u64, bytes: &[u8]) -> Result<Entry, EntryProblem> {
    let entry = Entry::from_json(bytes)?;
    if entry.index() != index || entry.competition() != competition.id() {
        return Err(EntryProblem::Place);
    }
    if (index == 0) != matches!(entry.event(), Event::Opening) {
        return Err(EntryProblem::Opening);
    }
    Ok(entry)
}

fn entries(competition: &Competition, tree: &Tree) -> Result<Vec<Entry>, CompetitionError> {
    let entry = |index: u64| {
        let bytes = tree.leaf(index).unwrap_or_default();
        entry_at(competition, index, bytes).map_err(|reason| CompetitionError::Entry { index, reason })
    };
    (0..tree.size()).map(entry).collect()
}

impl Log {
    /// The competition.
    #[must_use]
    pub const fn competition(&self) -> &Competition {
        &self.competition
    }

    /// The entries that the head counts, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tree over them.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The last signed head. Whoever keeps its note can tell later whether the log was rewritten.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Number of entries in the folder that no head counts yet.
    #[must_use]
    pub const fn unsigned(&self) -> u64 {
        self.unsigned
    }

    /// A receipt for every registration of `card`, each under the last head. Anybody may make them.
    #[must_use]
    pub fn receipts(&self, card: tacit_claim::CardId) -> Vec<Receipt> {
        let is_of_card = |e: &&Entry| matches!(e.event(), Event::Registration(registration) if registration.card() == card);
        let entries = self.entries.iter().filter(is_of_card);
        entries.filter_map(|e| Receipt::new(e, &self.tree, &self.head)).collect()
    }

    /// Appends entries, first those whose files are there without a head: the files of the others, then a
    /// head that counts all, signed by the host.
    pub(crate) fn append(
        &mut self,
        folder: &Folder,
        entries: Vec<Entry>,
        host: &OwnerKey,
    ) -> Result<(), CompetitionError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut tree = self.tree.clone();
        for (entry, i) in entries.iter().zip(0..) {
            let bytes = entry.to_json();
            if i >= self.unsigned {
                folder.create(&entry_name(entry.index()), &bytes)?;
            }
            tree.push(bytes);
        }
        let head = Head::sign(&self.competition.log_name(), tree.root(), host);
        folder.create(&head_name(head.size()), head.note().as_bytes())?;
        self.entries.extend(entries);
        self.unsigned = 0;
        (self.tree, self.head) = (tree, head);
        Ok(())
    }
}
