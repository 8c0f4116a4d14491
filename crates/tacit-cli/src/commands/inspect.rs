//! `tacit inspect`: what a file holds and what it would reveal. Never a salt, a weight, a committed record or a key.

mod competition;
mod exchange;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tacit_claim::{
    AccuracyClaim, AnswersClaim, Bundle, Card, CardPoints, ClaimKind, CommittedInput, DataClaim, EngineId,
    FileKind, Inference, InputClaim, OutputClaim, OwnerKey, OwnerKeyError, WeightsClaim, sniff,
};
use tacit_core::files;
use tacit_core::srs::file::read_verifier;
use tacit_data::{parse_schema, schema_json};
use tacit_model::{Architecture, Op, ParamId, Schema, format_decimal};

use crate::args::verify::Inspect;
use crate::failure::Failure;
use crate::load;
use crate::report::{BOLD, PLAIN, Report, count, plain, rate, table};

pub(crate) fn run(args: &Inspect) -> Result<Report, Failure> {
    let path = &args.file;
    let bytes = files::read(path, files::MAX_FILE)?;
    let kind = sniff(&bytes);
    if args.card.is_some() && kind != FileKind::Proof {
        return Err(Failure::new(format!("--card is for proofs; {} is not one", path.display())));
    }
    let mut report = Report::default();
    report.line(BOLD, format!("{}: {kind}", path.display()));
    report.set("file", path.display().to_string());
    report.set("kind", kind.to_string());
    report.set("secret", kind.is_secret());
    report.set("bytes", bytes.len());
    report.set("sha256", hex::encode(Sha256::digest(&*bytes)));
    match kind {
        FileKind::Model => {
            let model = load::model(path)?;
            architecture(&mut report, model.architecture());
            reveals(&mut report, "everything about the model, weights included: for its owner only");
        }
        FileKind::Card => card(&mut report, &load::card(path)?),
        FileKind::CardPoints => card_points(&mut report, &bytes, path)?,
        FileKind::Proof => {
            let card = args.card.as_deref().map(load::card).transpose()?;
            proof(&mut report, &load::proof(path).map_err(|f| f.code(2))?, card.as_ref())?;
        }
        FileKind::Disclosure => {
            let disclosure = load::disclosure(path).map_err(|f| f.code(2))?;
            proof(&mut report, &disclosure.bundle, Some(&disclosure.card))?;
            report.field(
                "brings the card",
                format!("{}, of {}", disclosure.card.id(), disclosure.card.owner().fingerprint()),
            );
            report.set("card_id", disclosure.card.id().to_string());
            report.set("owner", disclosure.card.owner().fingerprint().to_string());
        }
        FileKind::EncryptedOwnerKey
        | FileKind::Provider
        | FileKind::Prekeys
        | FileKind::PendingRequest
        | FileKind::SealedRequest
        | FileKind::SealedResponse => exchange::tell(&mut report, kind, &bytes, path)?,
        FileKind::Chunk => chunk(&mut report, path)?,
        FileKind::WeightsOpening => weights_opening(&mut report, path)?,
        FileKind::InputOpening => input_opening(&mut report, path)?,
        FileKind::DatasetOpening => dataset_opening(&mut report, path)?,
        FileKind::OutputOpening => output_opening(&mut report, path)?,
        FileKind::OwnerKey => {
            let key = OwnerKey::from_text(&bytes).map_err(|e| unusable_key(path, &e))?.public();
            report.field("fingerprint", key.fingerprint().to_string());
            report.field("public key", key.to_string());
            report.set("fingerprint", key.fingerprint().to_string());
            report.set("public_key", key.to_string());
            reveals(&mut report, "the secret key: whoever has it signs cards in the owner's name");
        }
        FileKind::Schema => {
            let schema = parse_schema(&bytes, &path.display().to_string())?;
            schema_table(&mut report, &schema);
            report.set("schema", schema_value(&schema));
            reveals(
                &mut report,
                "what a record is and which values are allowed; it becomes part of the card",
            );
        }
        FileKind::Competition
        | FileKind::CompetitionEntry
        | FileKind::CompetitionRequest
        | FileKind::CompetitionReceipt
        | FileKind::CompetitionSeal
        | FileKind::Verdict => competition::tell(&mut report, kind, &bytes, path)?,
        FileKind::Srs => setup(&mut report, &bytes, path)?,
        FileKind::Onnx => onnx(&mut report, &bytes, path)?,
        FileKind::Unknown => {
            return Err(Failure::new(format!("{} is none of tacit's files", path.display())).advise(
                "inspect takes models, cards and their points, proofs, openings, keys, schemas, setups, ONNX models, signed verdicts and \
                 what belongs to a competition or to an exchange of patient and provider",
            ));
        }
    }
    Ok(report)
}

fn unusable_key(path: &Path, e: &OwnerKeyError) -> Failure {
    Failure::new(format!("{}: {e}", path.display())).advise("restore the key from a copy")
}

fn reveals(report: &mut Report, what: &str) {
    report.field("it reveals", what);
    report.set("reveals", what);
}

/// What every claim about a model leaks, whatever is hidden.
const LEAKS: &str = "the architecture, widths, shifts and ranges; the size of a proof and the time it took; whoever may \
     query the model freely can learn it from its answers";
/// What a proof rests on.
const fn rests_on(engine: EngineId) -> &'static str {
    match engine {
        EngineId::Sumcheck => "discrete logarithms in Grumpkin (about 126 bits); no setup",
        EngineId::Halo2 => {
            "discrete logarithms in BN254 (about 100 bits) and on a setup whose secret nobody kept"
        }
    }
}

fn leaks(report: &mut Report, engines: impl Iterator<Item = EngineId>) {
    report.field("leaks in any case", LEAKS);
    let mut reasons = serde_json::Map::new();
    for engine in engines {
        report.field("soundness rests on", format!("{} ({engine})", rests_on(engine)));
        reasons.insert(engine.to_string(), rests_on(engine).into());
    }
    report.set("leaks", LEAKS);
    report.set("rests_on", reasons);
}

/// Steps and features, as tables.
fn architecture(report: &mut Report, a: &Architecture) {
    let mut shown = table(&["step", "operator", "parameters"]);
    let mut steps = Vec::new();
    for (i, node) in a.nodes.iter().enumerate() {
        let (name, detail) = step(a, &node.op);
        steps.push(json!({ "operator": name, "parameters": detail }));
        shown.add_row([i.to_string(), name.to_owned(), detail]);
    }
    report.field("architecture", hex::encode(a.digest().0));
    report.field("number of weights", a.weight_count().to_string());
    report.table(shown);
    schema_table(report, &a.schema);
    report.set("architecture_digest", hex::encode(a.digest().0));
    report.set("weights", a.weight_count());
    report.set("steps", steps);
    report.set("schema", schema_value(&a.schema));
}

fn step(a: &Architecture, op: &Op) -> (&'static str, String) {
    let bounds = |lo: &i64, hi: &i64| format!("to [{lo}, {hi}]");
    match op {
        Op::Normalise { rule, .. } => {
            ("normalise", format!("shift {}, {}", rule.shift, bounds(&rule.lo, &rule.hi)))
        }
        Op::MatMul { weight, bias, .. } => ("dense", parameters(a, *weight, *bias)),
        Op::Conv { weight, bias, strides, dilations, .. } => (
            "convolution",
            format!("{}, strides {strides:?}, dilations {dilations:?}", parameters(a, *weight, *bias)),
        ),
        Op::Linear { terms, offset } => ("sum", format!("{}, offset {offset}", count(terms.len(), "term"))),
        Op::Mul { .. } => ("product", String::new()),
        Op::Requant { shift, lo, hi, .. } => (
            if *lo == 0 { "requantise, ReLU" } else { "requantise" },
            format!("shift {shift}, {}", bounds(lo, hi)),
        ),
        Op::Reshape { shape, .. } => ("reshape", format!("{shape:?}")),
        Op::Transpose { perm, .. } => ("transpose", format!("{perm:?}")),
        Op::Pad { before, after, .. } => ("pad", format!("{before:?} before, {after:?} after")),
        Op::Slice { starts, shape, steps, .. } => {
            ("slice", format!("{shape:?} from {starts:?}, steps {steps:?}"))
        }
        Op::Concat { parts, axis } => {
            ("concatenate", format!("{} along axis {axis}", count(parts.len(), "part")))
        }
        Op::Broadcast { shape, .. } => ("broadcast", format!("{shape:?}")),
        Op::Windows { window, .. } => (
            "windows",
            format!("{:?}, strides {:?}, dilations {:?}", window.kernel, window.strides, window.dilations),
        ),
        Op::Sum { axes, .. } => ("sum over axes", format!("the last {axes}")),
        Op::Max { axes, .. } => ("maximum", format!("the last {axes}")),
        Op::Scale { shape, .. } => ("scale", format!("public factors {shape:?}")),
        Op::Quotient { .. } => ("quotient", "rounded down".to_owned()),
        Op::Root { .. } => ("square root", "rounded down".to_owned()),
        Op::Table { first, values, .. } => {
            ("table", format!("{} from {first} on", count(values.len(), "value")))
        }
    }
}

/// Shapes and widths of a layer's weights and biases.
fn parameters(a: &Architecture, weight: ParamId, bias: Option<ParamId>) -> String {
    let spec = |p: ParamId| {
        let spec = a.params.get(p.0 as usize);
        spec.map_or_else(String::new, |s| format!("{:?} of {} bits", s.shape, s.width))
    };
    let bias = bias.map(|b| format!(", bias {}", spec(b))).unwrap_or_default();
    format!("weights {}{bias}", spec(weight))
}

fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = all.len().saturating_sub(12);
    let shown = all.take(12).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Features listed one by one at most, and how many are listed of more than these.
const MAX_FEATURES: usize = 64;
const FEATURES_OF_MANY: usize = 16;

fn schema_table(report: &mut Report, schema: &Schema) {
    let mut shown = table(&["feature", "allowed", "decimals", "unit"]);
    let features = schema.features.len();
    let listed = if features > MAX_FEATURES { FEATURES_OF_MANY } else { features };
    for f in &schema.features[..listed] {
        let unit = f.unit.as_deref().map(plain).unwrap_or_default();
        shown.add_row([plain(&f.name), f.range_text(), f.decimals.to_string(), unit]);
    }
    if listed < features {
        shown.add_row([format!("… and {} more (--json has all)", features - listed)]);
    }
    report.table(shown);
    if !schema.classes.is_empty() {
        report.field("classes", names(schema.classes.iter().map(|c| c.name.as_str())));
    }
}

fn schema_value(schema: &Schema) -> Value {
    serde_json::from_str(&schema_json(schema)).unwrap_or(Value::Null)
}

fn card(report: &mut Report, card: &Card) {
    report.field("card id", card.id().to_string());
    report.field("name", card.name().as_str());
    report.field("signed by", card.owner().fingerprint().to_string());
    let mut commitments = serde_json::Map::new();
    for c in card.commitments().iter() {
        report.field("model id", format!("{} ({})", c.model_id, c.engine));
        report.field("weights committed as", format!("{} ({})", c.weights, c.engine));
        let entry = json!({ "model_id": c.model_id.to_string(), "weights": c.weights.to_string() });
        commitments.insert(c.engine.to_string(), entry);
    }
    if commitments.len() > 1 {
        report.field("same model", "the two ids name the same weights on the owner's signed word alone");
        report.note(
            "that the commitments of both engines hold the same weights is the owner's word, not proved: a proof says \
             something of the model id of its own engine, and nothing of the other",
        );
    }
    if let Some(sumcheck) = &card.commitments().sumcheck {
        let certificate = sumcheck.parameters.certificate;
        let place = match card.inline_points() {
            Some(points) => format!("in the card, {} bytes", points.certificate().len()),
            None => "in card.points beside the card".to_owned(),
        };
        report.field("weights' certificate", format!("{certificate} ({place}; `tacit verify` checks it)"));
        report.set("certificate", certificate.to_string());
        report.set("points_in_card", card.inline_points().is_some());
    }
    if let Some(q) = card.quantisation() {
        for (label, a) in [("float accuracy", q.float_accuracy), ("quantised accuracy", q.quantised_accuracy)]
        {
            if let Some(a) = a {
                report.field(label, format!("{}, on the owner's word", rate(a.correct, a.samples)));
            }
        }
    }
    report.field("values out of range", "refused");
    architecture(report, card.architecture());
    report.set("card_id", card.id().to_string());
    report.set("name", plain(card.name().as_str()));
    report.set("owner", card.owner().fingerprint().to_string());
    report.set("public_key", card.owner().to_string());
    report.set("public_weights", card.weights().is_public());
    report.set("commitments", commitments);
    report.set("not_vouched_for", card.unvouched());
    let weights = if card.weights().is_public() {
        "the architecture; and it lets whoever has the model file check the weights"
    } else {
        "the architecture; of the weights nothing but how many there are"
    };
    reveals(report, weights);
    leaks(report, card.commitments().engines());
}

fn card_points(report: &mut Report, bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let points = CardPoints::from_bytes(bytes).map_err(|e| {
        Failure::new(format!("{}: {e}", path.display())).advise("get the file from the card's owner again")
    })?;
    let count = points.points().len() / 32;
    report.field("points", format!("{count} (the sumcheck engine's commitment to the weights)"));
    report.field("certificate", format!("{} bytes", points.certificate().len()));
    report.field("its SHA-256", points.certificate_digest().to_string());
    report.note("it belongs beside the card that names this certificate; `tacit verify` checks both");
    report.set("points", count);
    report.set("certificate", points.certificate_digest().to_string());
    report.set("certificate_bytes", points.certificate().len());
    reveals(report, "of the weights nothing but how many there are");
    Ok(())
}

fn proof(report: &mut Report, bundle: &Bundle, card: Option<&Card>) -> Result<(), Failure> {
    let claim = bundle.claim();
    match card {
        Some(card) => {
            let sentence = claim.sentence(card).map_err(tacit_core::CoreError::from)?;
            report.line(PLAIN, format!("It claims, and nobody has checked here: {sentence}"));
            report.set("claim", sentence);
        }
        None => report.note("pass --card to read the claim as a sentence; `tacit verify` checks it"),
    }
    let mut revealed = vec!["which card, engine and context"];
    let kind = match &claim.kind {
        ClaimKind::Inference(_) => "inference",
        ClaimKind::Accuracy(_) => "accuracy",
        ClaimKind::Predictions(_) => "predictions",
    };
    report.field("claim", kind);
    report.field("about card", claim.card_id.to_string());
    report.field("engine", claim.engine.name());
    report.field("context", if claim.context.is_empty() { "none" } else { claim.context.as_str() });
    match &claim.kind {
        ClaimKind::Inference(inference) => tell_inference(report, inference, card, &mut revealed),
        ClaimKind::Accuracy(accuracy) => tell_accuracy(report, accuracy, card, &mut revealed),
        ClaimKind::Predictions(predictions) => {
            report.field("test set", hex::encode(predictions.digest.0));
            report.field("records", predictions.samples.to_string());
            revealed.push(match &predictions.answers {
                AnswersClaim::Classes { .. } => "the predicted class of every record",
                AnswersClaim::Outputs { .. } => "the model's outputs for every record",
            });
        }
    }
    let weights_text = match claim.weights() {
        WeightsClaim::Hidden => "hidden",
        WeightsClaim::Revealed => "public: the verifier needs the model file",
    };
    report.field("weights", weights_text);
    report.field("attested by", "nobody");
    report.field("engine's proof", format!("{} bytes", bundle.proof().len()));
    let Value::Object(fields) = bundle.to_json() else { return Ok(()) };
    for (key, value) in fields {
        report.json.insert(if key == "claim" { "claim_fields".to_owned() } else { key }, value);
    }
    let what = revealed.join(", ");
    reveals(report, &what);
    leaks(report, std::iter::once(claim.engine));
    Ok(())
}

fn tell_inference(
    report: &mut Report,
    Inference { input, output, .. }: &Inference,
    card: Option<&Card>,
    revealed: &mut Vec<&'static str>,
) {
    report.field(
        "record",
        match input {
            InputClaim::Hidden { commitment } => format!("hidden, committed to as {}", commitment.pin()),
            InputClaim::Revealed { record } => {
                revealed.push("the whole record");
                format!("in the claim: {}", record_text(record, card))
            }
        },
    );
    report.field(
        "answer",
        match output {
            OutputClaim::Hidden { commitment } => format!("hidden, committed to as {}", commitment.pin()),
            OutputClaim::Public { values } => {
                revealed.push("the answer");
                format!("in the claim: {values:?} (units of the model's output)")
            }
            OutputClaim::Facts { facts } => {
                revealed.push("what is stated of the answer");
                match card {
                    Some(card) => {
                        let texts: Vec<String> = facts.iter().map(|f| f.text(&card.answers())).collect();
                        format!("hidden, but for this: {}", texts.join("; "))
                    }
                    None => format!("hidden, but for {} of it", count(facts.len(), "fact")),
                }
            }
        },
    );
}

fn tell_accuracy(
    report: &mut Report,
    claim: &AccuracyClaim,
    card: Option<&Card>,
    revealed: &mut Vec<&'static str>,
) {
    match &claim.data {
        DataClaim::Public { digest, labels } => {
            report.field(
                "test set",
                format!("{} (labels `{}`)", hex::encode(digest.0), plain(labels.as_str())),
            );
        }
        DataClaim::Hidden { commitment } => {
            report.field("test set", format!("hidden, committed to as {}", commitment.pin()));
        }
    }
    report.field("records", claim.samples.to_string());
    report.field(
        "requirements",
        match card {
            Some(card) => claim
                .requirements
                .iter()
                .map(|r| plain(&r.text(card.schema())))
                .collect::<Vec<_>>()
                .join("; "),
            None => claim.requirements.len().to_string(),
        },
    );
    report.field("proved in parts", claim.chunks.to_string());
    revealed.extend(["the number of records", "the bounds that are met"]);
}

fn record_text(record: &[i64], card: Option<&Card>) -> String {
    let Some(card) = card else { return count(record.len(), "value") };
    let named = record.iter().zip(&card.schema().features);
    named
        .map(|(v, f)| format!("{} {}", f.name, format_decimal(*v, f.decimals)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn weights_opening(report: &mut Report, path: &Path) -> Result<(), Failure> {
    let opening = load::opening(path)?;
    let engines: Vec<_> = opening.salts.keys().map(|e| e.name()).collect();
    report.field("opens card", opening.card_id.to_string());
    report.field("for engines", engines.join(", "));
    report.set("card_id", opening.card_id.to_string());
    report.set("architecture_digest", hex::encode(opening.architecture_digest.0));
    report.set("engines", engines);
    reveals(
        report,
        "with the model file, the power to prove in the owner's name; without it, guesses at the weights can be checked",
    );
    Ok(())
}

fn chunk(report: &mut Report, path: &Path) -> Result<(), Failure> {
    let chunk = load::chunk(path)?;
    let chunks = match &chunk.claim.kind {
        ClaimKind::Accuracy(accuracy) => accuracy.chunks,
        _ => 1,
    };
    report.field("chunk", format!("{} of {chunks}", u64::from(chunk.index) + 1));
    report.field("of claim", chunk.claim.digest().to_string());
    report.field("about card", chunk.claim.card_id.to_string());
    report.field("engine's proof", format!("{} bytes", chunk.proof.len()));
    report.set("chunk", u64::from(chunk.index) + 1);
    report.set("chunks", chunks);
    report.set("claim_digest", chunk.claim.digest().to_string());
    report.set("card_id", chunk.claim.card_id.to_string());
    reveals(report, "how much is right among its records, exactly: for the prover only, until it is merged");
    Ok(())
}

fn input_opening(report: &mut Report, path: &Path) -> Result<(), Failure> {
    let opening = load::input_opening(path)?;
    report.field("made with card", opening.card_id.to_string());
    report.field("schema", opening.schema_digest.to_string());
    report.field("record", format!("{} (not shown)", count(opening.record.len(), "value")));
    tell_commitments(report, &opening.commitments);
    report.set("card_id", opening.card_id.to_string());
    report.set("schema_digest", opening.schema_digest.to_string());
    report.set("values", opening.record.len());
    reveals(report, "the whole record: for its subject and the prover only");
    Ok(())
}

fn dataset_opening(report: &mut Report, path: &Path) -> Result<(), Failure> {
    let opening = load::dataset_opening(path)?;
    report.field("made for card", opening.card_id.to_string());
    report.field("test set", hex::encode(opening.dataset_digest.0));
    tell_commitments(report, &opening.commitments);
    report.set("card_id", opening.card_id.to_string());
    report.set("dataset_digest", hex::encode(opening.dataset_digest.0));
    reveals(
        report,
        "with the test set, the power to prove on it; without it, guesses at the records can be checked",
    );
    Ok(())
}

fn tell_commitments(report: &mut Report, commitments: &BTreeMap<EngineId, CommittedInput>) {
    for (engine, c) in commitments {
        report.field("committed to as", format!("{} ({engine})", c.commitment.pin()));
    }
    let commitments: serde_json::Map<_, _> =
        commitments.iter().map(|(e, c)| (e.to_string(), c.commitment.to_string().into())).collect();
    report.set("commitments", commitments);
}

fn output_opening(report: &mut Report, path: &Path) -> Result<(), Failure> {
    let opening = load::output_opening(path)?;
    report.field("of claim", opening.claim.to_string());
    report.field("answer", format!("{} (not shown)", count(opening.values.len(), "value")));
    report.set("claim_digest", opening.claim.to_string());
    report.set("values", opening.values.len());
    reveals(report, "the answer that the claim hides: for those who may know it");
    Ok(())
}

fn setup(report: &mut Report, bytes: &[u8], path: &Path) -> Result<(), Failure> {
    if bytes.starts_with(b"ptau") {
        report.field("format", ".ptau (snarkjs)");
        report.set("format", "ptau");
        report.note("`tacit srs import` checks the file, recognises published ceremonies and installs it");
    } else {
        let srs = read_verifier(&mut &*bytes, bytes.len() as u64).map_err(|e| {
            Failure::new(format!("{}: {e}", path.display()))
                .advise("delete the file and import the setup again")
        })?;
        report.field("origin", srs.origin().to_string());
        report.field("rows", format!("up to 2^{}", srs.k()));
        report.field("fingerprint", srs.fingerprint().to_string());
        report.set("format", "tacit");
        report.set("origin", srs.origin().to_string());
        report.set("unsafe_dev", srs.origin().is_unsafe_dev());
        report.set("k", srs.k());
        report.set("fingerprint", srs.fingerprint().to_string());
        if srs.origin().is_unsafe_dev() {
            report.warn("an UNSAFE development setup: anybody can forge proofs under it");
        }
    }
    reveals(report, "nothing: setups are public");
    Ok(())
}

fn onnx(report: &mut Report, bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let found = tacit_onnx::probe(bytes).map_err(|e| {
        let failure = Failure::from(e);
        Failure { message: format!("{}: {}", path.display(), failure.message), ..failure }
    })?;
    let tensor = |t: &tacit_onnx::TensorInfo| {
        let axis = |d: &Option<u64>| d.map_or("?".to_owned(), |d| d.to_string());
        let shape =
            t.shape.as_ref().map_or("?".to_owned(), |s| s.iter().map(axis).collect::<Vec<_>>().join(", "));
        format!("`{}` {} [{shape}]", t.name, t.element_type.unwrap_or("not a tensor"))
    };
    for input in &found.inputs {
        report.field("input", tensor(input));
        if !input.open_axes.is_empty() {
            let axes: Vec<String> = input.open_axes.iter().map(|a| format!("`{}`", plain(a))).collect();
            report.field("open axes", format!("{}: `quantize --shape` gives them lengths", axes.join(", ")));
        }
    }
    for output in &found.outputs {
        report.field("output", tensor(output));
    }
    let operators: Vec<String> = found.operators.iter().map(|(name, n)| format!("{name} ×{n}")).collect();
    report.field("operators", operators.join(", "));
    report.field("operator set", found.opset.to_string());
    report.field("constants", found.constants.to_string());
    if found.unsupported.is_empty() {
        // No more than that: whether it can be quantised is for `quantize` to say.
        report.field("operators supported", "all");
    } else {
        report.field("cannot be quantised", format!("not supported: {}", found.unsupported.join(", ")));
    }
    let used: serde_json::Map<_, _> =
        found.operators.iter().map(|(name, n)| (plain(name), (*n).into())).collect();
    report.set("inputs", found.inputs.iter().map(|t| plain(&tensor(t))).collect::<Vec<_>>());
    let open = found.inputs.iter().flat_map(|t| &t.open_axes).map(|a| plain(a));
    report.set("open_axes", open.collect::<Vec<_>>());
    report.set("outputs", found.outputs.iter().map(|t| plain(&tensor(t))).collect::<Vec<_>>());
    report.set("operators", used);
    report.set("unsupported", found.unsupported.iter().map(|u| plain(u)).collect::<Vec<_>>());
    report.set("opset", found.opset);
    report.set("constants", found.constants);
    reveals(report, "everything about the float model, weights included");
    Ok(())
}
