//! Readers of the exchange: requests, answers, `request.secret`, `provider.json`, prekeys, key files, disclosures, and the
//! fields of signed requests.
//!
//! The first byte chooses a format and how it is fed: the rest as it is, or as changes to a good message. No random bytes
//! would pass a digest or hold a card; changes reach what lies behind.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_claim::testing::{bytes, card, claim, commitment, owner};
use tacit_claim::{Bundle, Card, CommittedInput, Disclosure, EngineId, InputOpening, OwnerKey, SaltBytes};
use tacit_exchange::http_signature::{self, Signed};
use tacit_exchange::{
    Answer, Ask, OpenedRequest, PendingRequest, PrekeySecret, Prekeys, ProviderDocument, Refusal,
    SealedRequest, SealedResponse, Unopened, UnsignedProvider, key_file,
};

const NOW: u64 = 1_800_000_000;
const SEED: u64 = 1;

struct World {
    key: OwnerKey,
    card: Card,
    prekey: PrekeySecret,
    pending: PendingRequest,
    /// A good message of every format, in the order of [`read`]'s numbers.
    good: Vec<Vec<u8>>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let (key, card) = (owner(SEED), card(SEED));
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let prekey = PrekeySecret::generate(NOW + 3600, &mut rng);
    let committed = CommittedInput { salt: SaltBytes::new(bytes(5)), commitment: commitment(SEED) };
    let input = InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record: vec![1, -2, 3],
        commitments: BTreeMap::from([(EngineId::Sumcheck, committed)]),
    };
    let ask =
        Ask { card: &card, prekey: prekey.public(), engine: EngineId::Sumcheck, input: &input, now: NOW };
    let pending = ask.seal("http://127.0.0.1:7878".into(), &mut rng).expect("a good record");
    let opened = OpenedRequest::open(pending.request(), &prekey).expect("our own");
    let bundle = Bundle::new(claim(&card, EngineId::Sumcheck, SEED), vec![9; 100]).expect("short");
    let answer = opened.answer(&Answer::Proved(bundle.clone()), 100, &key, &mut rng).expect("short");
    let refusal = opened.answer(&Answer::Refused(Refusal::Failed), 100, &key, &mut rng).expect("short");
    let unopened = SealedResponse::not_opened(pending.id(), Unopened::Damaged, &key);
    let document = ProviderDocument::sign(
        UnsignedProvider {
            card: card.id(),
            relay: "http://127.0.0.1:7878".into(),
            contact: Some("somebody".into()),
            issued_at: NOW,
            prekeys: vec![prekey.public().clone()],
        },
        &key,
    );
    let signed = http_signature::sign(&key, &SIGNED, NOW, &[7; 16]).expect("good");
    let fields: Vec<&str> = signed.fields().map(|(_, value)| value).collect();
    let mut prekeys = Prekeys::default();
    prekeys.push(PrekeySecret::generate(NOW + 60, &mut rng));
    let good = vec![
        pending.request().to_bytes().to_vec(),
        answer.to_bytes().to_vec(),
        refusal.to_bytes().to_vec(),
        unopened.to_bytes().to_vec(),
        pending.to_bytes().to_vec(),
        document.expect("good").to_json().to_vec(),
        prekeys.to_bytes(&key, card.id(), &mut rng),
        Disclosure { bundle, card: card.clone(), points: None }.to_bytes(),
        fields.join("\n").into_bytes(),
        key_file(),
    ];
    World { key, card, prekey, pending, good }
});

/// A key file of the right form whose passphrase costs hardly any work.
fn key_file() -> Vec<u8> {
    let (fingerprint, salt, nonce) =
        (owner(SEED).public().fingerprint(), hex::encode([1; 16]), hex::encode([2; 24]));
    let sealed = hex::encode([3; 80]);
    format!(
        "tacit-encrypted-owner-key/1\nfingerprint {fingerprint}\nargon2id 8 1 1\nsalt {salt}\nnonce {nonce}\nsealed {sealed}\n"
    )
    .into_bytes()
}

const SIGNED: Signed<'_> =
    Signed { method: "GET", authority: "relay.example", path: "/v1/cards", query: None, body: b"" };

/// A copy of `good` with changes of four bytes each: where, whether to overwrite, insert or cut, and with what or how much.
fn changed(good: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut out = good.to_vec();
    for change in changes.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % (out.len() + 1);
        match change[2] % 3 {
            0 if at < out.len() => out[at] = change[3],
            1 => out.insert(at, change[3]),
            _ => drop(out.drain(at..(at + usize::from(change[3])).min(out.len()))),
        }
    }
    out
}

fn read(format: usize, data: &[u8]) {
    let world = &*WORLD;
    match format {
        0 => {
            if let Ok(request) = SealedRequest::from_bytes(data) {
                assert_eq!(request.to_bytes(), data);
                let opened = OpenedRequest::open(&request, &world.prekey);
                assert!(opened.is_err() || data == world.good[0], "an altered request opens");
            }
        }
        1..=3 => {
            if let Ok(response) = SealedResponse::from_bytes(data) {
                assert_eq!(response.to_bytes(), data);
                let opened = world.pending.open(&response);
                assert!(
                    opened.is_err() || world.good[1..=3].iter().any(|g| g == data),
                    "an altered answer opens"
                );
            }
        }
        4 => {
            if let Ok(pending) = PendingRequest::from_bytes(data) {
                assert_eq!(&**pending.to_bytes(), data);
            }
        }
        5 => {
            if let Ok(document) = ProviderDocument::from_json(data) {
                assert_eq!(document.to_json(), data);
            }
        }
        6 => {
            let opened = Prekeys::from_bytes(data, &world.key, world.card.id());
            assert!(opened.is_err() || data == world.good[6], "altered prekeys open");
        }
        7 => {
            if let Ok(disclosure) = Disclosure::from_bytes(data) {
                assert_eq!(disclosure.to_bytes(), data);
            }
        }
        8 => {
            let Ok(text) = std::str::from_utf8(data) else { return };
            let mut fields = text.splitn(3, '\n');
            let mut values = [None; 3];
            values.iter_mut().for_each(|value| *value = fields.next());
            let names =
                [http_signature::CONTENT_DIGEST, http_signature::SIGNATURE_INPUT, http_signature::SIGNATURE];
            let value = |name| names.iter().position(|n| *n == name).and_then(|at| values[at]);
            if let Ok(input) = http_signature::parse(value) {
                let _ = input.verify(&world.key.public(), &SIGNED);
            }
        }
        _ => {
            assert!(key_file::decrypt(data, "passphrase").is_err(), "a key file that nobody sealed opens");
        }
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let format = usize::from(choice >> 1) % WORLD.good.len();
    if choice & 1 == 0 {
        read(format, rest);
    } else {
        read(format, &changed(&WORLD.good[format], rest));
    }
});
