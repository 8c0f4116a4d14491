//! `tacit commit`

use std::path::Path;
use std::time::Instant;

use rand_core::OsRng;
use serde_json::Value;
use tacit_claim::{CardName, CardPoints, EngineId, OwnerKey};
use tacit_core::files::{self, Access};
use tacit_core::{CommitRequest, Committed, commit};

use crate::args::model::{Commit, EngineChoice};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::keys::{fresh, owner_key};
use crate::load;
use crate::outputs;
use crate::progress::Spinner;
use crate::report::{BOLD, Report, plain};

pub(crate) fn run(args: &Commit) -> Result<Report, Failure> {
    let force = args.force.force;
    let [card_path, opening_path, key_path] =
        ["card.json", "opening.secret", "owner.key"].map(|name| args.output.join(name));
    let points_path = load::points_path(&card_path);
    outputs::check_folder(&args.output)?;
    let inputs = [Some(&*args.model), args.key.as_deref()];
    outputs::check([&*card_path, &*opening_path, &*points_path], &inputs, force)?;
    let replaced = load::card(&card_path).ok().map(|old| old.id());
    let (key, new_key) = identity(args, &key_path)?;
    let model = load::model(&args.model)?;
    let spinner = Spinner::new("committing");
    let engines: &[EngineId] = match args.engine {
        EngineChoice::Sumcheck => &[EngineId::Sumcheck],
        EngineChoice::Halo2 => &[EngineId::Halo2],
        EngineChoice::All => &EngineId::ALL,
    };
    let request = CommitRequest {
        model: &model,
        name: name(args)?,
        engines,
        owner: &key,
        public_weights: args.public_weights,
        quantisation: None,
    };
    let start = Instant::now();
    let Committed { card, points, opening } = commit(&data_folder()?, &request, &mut OsRng, &spinner)?;
    drop(spinner);
    let seconds = start.elapsed().as_secs_f64();

    let new_folders: Vec<&Path> = args.output.ancestors().take_while(|folder| !folder.exists()).collect();
    // The card last: where it is, the rest is.
    let mut written = Vec::new();
    let mut write = |path: &Path, bytes: &[u8], access| {
        let was_there = path.exists();
        files::write(path, bytes, access, force).inspect(|()| {
            if !was_there {
                written.push(path.to_owned());
            }
        })
    };
    let key_written =
        if new_key { write(&key_path, key.to_text().as_bytes(), Access::Secret) } else { Ok(()) };
    let points_bytes = points.as_ref().map(CardPoints::to_bytes);
    let all = key_written
        .and_then(|()| write(&opening_path, &opening.to_bytes(), Access::Secret))
        .and_then(|()| match &points_bytes {
            Some(bytes) => write(&points_path, bytes, Access::Public),
            None => Ok(()),
        })
        .and_then(|()| write(&card_path, card.to_json(), Access::Public));
    if let Err(e) = all {
        for path in &written {
            // A card without opening, or an opening without card, is of no use to anybody.
            let _ = std::fs::remove_file(path);
        }
        for folder in new_folders {
            // Only where it is empty.
            let _ = std::fs::remove_dir(folder);
        }
        return Err(e.into());
    }

    if points.is_none() && force {
        // Those of the card that was replaced.
        let _ = std::fs::remove_file(&points_path);
    }

    let mut report = Report::default();
    report.line(BOLD, format!("Committed to {} as «{}»", args.model.display(), card.name()));
    report.field("card id", card.id().to_string());
    report.field("owner", card.owner().fingerprint().to_string());
    for committed in card.commitments().iter() {
        report.field("model id", format!("{} ({})", committed.model_id, committed.engine));
        report.field("weights", format!("committed to as {} ({})", committed.weights, committed.engine));
    }
    let hidden =
        if args.public_weights { "public: whoever has the model file can check it" } else { "hidden" };
    report.field("weights are", hidden);
    let everybody = match &points {
        Some(_) => format!("{} and {}, together", card_path.display(), points_path.display()),
        None => card_path.display().to_string(),
    };
    report.field("for everybody", everybody);
    report.field("never give away", opening_path.display().to_string());
    let key_file = if new_key { Some(&key_path) } else { None };
    match (key_file, &args.key) {
        (Some(path), _) => report.field("your identity", format!("{} (new; keep a copy)", path.display())),
        (None, Some(path)) => report.field("your identity", path.display().to_string()),
        (None, None) => report.field("your identity", format!("{} (kept)", key_path.display())),
    }
    if let Some(old) = replaced {
        report.note(format!(
            "card {old} was replaced, and its opening with it: proofs for that card can no longer be made, except \
             with a copy of the replaced opening"
        ));
    }
    report.set("replaced_card_id", replaced.map(|old| old.to_string()));
    report.set("card_id", card.id().to_string());
    report.set("card", card_path.display().to_string());
    report.set("points", points.as_ref().map(|_| points_path.display().to_string()));
    report.set("points_bytes", points_bytes.as_ref().map(Vec::len));
    report.set("seconds", seconds);
    report.set("opening", opening_path.display().to_string());
    report.set("key", args.key.as_ref().unwrap_or(&key_path).display().to_string());
    report.set("key_created", new_key);
    report.set("name", plain(card.name().as_str()));
    report.set("owner", card.owner().fingerprint().to_string());
    report.set("public_weights", args.public_weights);
    let models: serde_json::Map<String, Value> = card
        .commitments()
        .iter()
        .map(|c| {
            let entry =
                serde_json::json!({ "model_id": c.model_id.to_string(), "weights": c.weights.to_string() });
            (c.engine.to_string(), entry)
        })
        .collect();
    report.set("commitments", models);
    Ok(report)
}

/// The identity that signs, and whether it is new.
fn identity(args: &Commit, key_path: &Path) -> Result<(OwnerKey, bool), Failure> {
    if let Some(path) = &args.key {
        return Ok((owner_key(path, &args.unlock)?, false));
    }
    if key_path.symlink_metadata().is_ok() {
        if args.force.force {
            return Ok((owner_key(key_path, &args.unlock)?, false));
        }
        return Err(Failure::new(format!("{} already exists", key_path.display()))
            .advise(format!("pass --key {} to sign with it, or choose another folder", key_path.display())));
    }
    Ok((fresh(), true))
}

fn name(args: &Commit) -> Result<CardName, Failure> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let stem = args.model.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    CardName::new(stem).map_err(|e| {
        Failure::new(format!("the model's file name cannot be its name on the card: {e}"))
            .advise("give it a name with --name")
    })
}
