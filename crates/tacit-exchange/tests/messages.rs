//! Requests and answers: what is opened, what is refused, what is said to whom.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use tacit_claim::testing::{bytes, commitment, owner, unsigned_card};
use tacit_claim::{
    Bundle, Card, Claim, CommittedInput, EngineId, Inference, InputClaim, InputOpening, OutputClaim,
    OwnerKey, SaltBytes, WeightsClaim,
};
use tacit_exchange::{
    Answer, Ask, Capability, MessageError, OpenedRequest, PendingError, PendingRequest, PrekeySecret,
    Prekeys, PrekeysError, ProviderDocument, ProviderError, Refusal, ResponseError, SealError, SealedRequest,
    SealedResponse, Unopened, UnsignedProvider, key_file,
};
use tacit_model::testing::mlp;

const NOW: u64 = 1_800_000_000;

struct World {
    key: OwnerKey,
    card: Card,
    prekey: PrekeySecret,
    input: InputOpening,
    rng: ChaCha20Rng,
}

fn world(seed: u64) -> World {
    let key = owner(seed);
    let architecture = mlp(&[3, 4, 2], 8, 8, seed).architecture().clone();
    let card = Card::sign(unsigned_card(&architecture, seed), &key).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let prekey = PrekeySecret::generate(NOW + 3600, &mut rng);
    let committed = CommittedInput { salt: SaltBytes::new(bytes(seed ^ 5)), commitment: commitment(seed) };
    let input = InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record: vec![7_654_321, -1_234_567, 42],
        commitments: BTreeMap::from([(EngineId::Sumcheck, committed)]),
    };
    World { key, card, prekey, input, rng }
}

impl World {
    fn send(&mut self) -> PendingRequest {
        let ask = Ask {
            card: &self.card,
            prekey: self.prekey.public(),
            engine: EngineId::Sumcheck,
            input: &self.input,
            now: NOW,
        };
        ask.seal("http://127.0.0.1:7878".into(), &mut self.rng).unwrap()
    }

    fn opened(&self, pending: &PendingRequest) -> OpenedRequest {
        let travelled = SealedRequest::from_bytes(pending.request().to_bytes()).unwrap();
        OpenedRequest::open(&travelled, &self.prekey).unwrap()
    }

    fn proof(&self, opened: &OpenedRequest, length: usize) -> Bundle {
        let claim = Claim::new(
            &self.card,
            EngineId::Sumcheck,
            Inference {
                input: InputClaim::Hidden {
                    commitment: opened.input().commitments[&EngineId::Sumcheck].commitment.clone(),
                },
                output: OutputClaim::Public { values: vec![0; self.card.output_len()] },
                weights: WeightsClaim::Hidden,
            },
            opened.context(),
        );
        Bundle::new(claim.unwrap(), vec![9; length]).unwrap()
    }
}

#[test]
fn a_record_goes_and_an_answer_comes_back() {
    let mut world = world(1);
    let pending = world.send();
    let kept = PendingRequest::from_bytes(&pending.to_bytes()).unwrap();
    assert_eq!(kept.id(), pending.id());
    assert_eq!(kept.to_bytes(), pending.to_bytes());
    let opened = world.opened(&pending);
    assert_eq!(opened.input().record, world.input.record);
    assert_eq!(opened.input().commitments, world.input.commitments);
    assert_eq!(opened.context(), kept.context());
    let answer = Answer::Proved(world.proof(&opened, 20_000));
    let sealed = opened.answer(&answer, 20_000, &world.key, &mut world.rng).unwrap();
    let travelled = SealedResponse::from_bytes(sealed.to_bytes()).unwrap();
    assert_eq!(kept.open(&travelled).unwrap(), Ok(answer));
}

#[test]
fn a_request_that_cannot_be_opened_is_said_so() {
    let mut world = world(2);
    let pending = world.send();
    let other = PrekeySecret::generate(NOW, &mut world.rng);
    assert_eq!(OpenedRequest::open(pending.request(), &other).unwrap_err(), MessageError::OtherPrekey);
    for why in [Unopened::PrekeyGone, Unopened::Damaged] {
        let sealed = SealedResponse::not_opened(pending.id(), why, &world.key);
        let travelled = SealedResponse::from_bytes(sealed.to_bytes()).unwrap();
        assert_eq!(pending.open(&travelled).unwrap(), Err(why));
        let forged = SealedResponse::not_opened(pending.id(), why, &owner(99));
        assert_eq!(pending.open(&forged).unwrap_err(), ResponseError::Message(MessageError::Signature));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_request_is_refused() {
    let mut world = world(3);
    let pending = world.send();
    let bytes = pending.request().to_bytes();
    let refused = |bad: &[u8]| match SealedRequest::from_bytes(bad) {
        Err(_) => true,
        Ok(request) => {
            assert_ne!(request.id(), pending.id());
            OpenedRequest::open(&request, &world.prekey).is_err()
        }
    };
    for at in 0..bytes.len() {
        let mut bad = bytes.to_vec();
        bad[at] ^= 1 << (at % 8);
        assert!(refused(&bad), "byte {at}");
    }
    for len in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        assert!(refused(&bytes[..len]), "cut at {len}");
    }
    assert!(refused(&[bytes, &[0]].concat()));
}

#[test]
fn every_flipped_bit_of_an_answer_is_refused() {
    let mut world = world(4);
    let pending = world.send();
    let opened = world.opened(&pending);
    let sealed = opened.answer(&Answer::Refused(Refusal::Failed), 0, &world.key, &mut world.rng).unwrap();
    let bytes = sealed.to_bytes();
    for at in 0..bytes.len() {
        let mut bad = bytes.to_vec();
        bad[at] ^= 1 << (at % 8);
        let opened = SealedResponse::from_bytes(&bad).map(|r| pending.open(&r));
        assert!(!matches!(opened, Ok(Ok(_))), "byte {at}");
    }
}

/// The provider's own signature under every message: what remains is what the sealing itself refuses.
#[test]
fn answers_fit_one_request_even_if_the_provider_signs_others() {
    let mut world = world(5);
    let (first, second) = (world.send(), world.send());
    let (a, b) = (world.opened(&first), world.opened(&second));
    let to_a = a.answer(&Answer::Refused(Refusal::Engine), 0, &world.key, &mut world.rng).unwrap();
    let other = MessageError::OtherRequest { expected: second.id(), actual: first.id() };
    assert_eq!(second.open(&to_a).unwrap_err(), ResponseError::Message(other));

    // The body that was sealed for the first, re-labelled for the second and signed again.
    let resigned = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 64);
        let signature = world.key.sign("tacit/exchange/response/1", &bytes);
        bytes.extend_from_slice(&signature.0);
        SealedResponse::from_bytes(&bytes).unwrap()
    };
    let mut bytes = to_a.to_bytes().to_vec();
    bytes[11..43].copy_from_slice(&second.id().0);
    let open = ResponseError::Message(MessageError::Seal(SealError::Open));
    assert_eq!(second.open(&resigned(bytes)).unwrap_err(), open);
    // The same bytes, signed again, are the same answer.
    assert_eq!(
        first.open(&resigned(to_a.to_bytes().to_vec())).unwrap(),
        Ok(Answer::Refused(Refusal::Engine))
    );
    // A byte of the sealed body, signed again.
    let mut bytes = to_a.to_bytes().to_vec();
    bytes[2000] ^= 1;
    assert_eq!(first.open(&resigned(bytes)).unwrap_err(), open);
    drop(b);
}

#[test]
fn chunks_are_neither_reordered_nor_dropped_nor_cut_off() {
    let mut world = world(6);
    let pending = world.send();
    let opened = world.opened(&pending);
    let answer = Answer::Proved(world.proof(&opened, (3 << 20) + 5));
    let sealed = opened.answer(&answer, 0, &world.key, &mut world.rng).unwrap();
    assert_eq!(pending.open(&sealed).unwrap(), Ok(answer));
    let bytes = sealed.to_bytes();
    let (head, body) = bytes[..bytes.len() - 64].split_at(43 + 1120);
    let chunks: Vec<&[u8]> = body.chunks((1 << 20) + 16).collect();
    assert_eq!(chunks.len(), 4);
    for order in [&[1, 0, 2, 3][..], &[0, 1, 3], &[0, 1, 2], &[0, 0, 1, 2, 3], &[0, 2, 1, 3], &[1, 2, 3]] {
        let mut bad = head.to_vec();
        order.iter().for_each(|i| bad.extend_from_slice(chunks[*i]));
        let signature = world.key.sign("tacit/exchange/response/1", &bad);
        bad.extend_from_slice(&signature.0);
        let bad = SealedResponse::from_bytes(&bad).unwrap();
        let open = ResponseError::Message(MessageError::Seal(SealError::Open));
        assert_eq!(pending.open(&bad).unwrap_err(), open, "{order:?}");
    }
}

#[test]
fn lengths_tell_nothing_within_a_bucket() {
    let mut world = world(7);
    let pending = world.send();
    let opened = world.opened(&pending);
    let proof = world.proof(&opened, 20_000);
    let typical = proof.to_bytes().len();
    let mut len = |answer: &Answer| {
        opened.answer(answer, typical, &world.key, &mut world.rng).unwrap().to_bytes().len()
    };
    let proved = len(&Answer::Proved(proof));
    for refusal in [
        Refusal::Failed,
        Refusal::WrongSchema,
        Refusal::OutOfRange { feature: 1, value: i64::MIN },
        Refusal::Expired { age: u64::MAX, max: 1 },
    ] {
        assert_eq!(len(&Answer::Refused(refusal)), proved);
    }
    let short = pending.request().to_bytes().len();
    world.input.record = vec![i64::MAX; 100];
    assert_eq!(world.send().request().to_bytes().len(), short);
}

/// What a record's integers are shows in nothing's length, also where their encodings fall on two sides of a size's end.
#[test]
fn lengths_tell_nothing_of_a_records_values() {
    let mut world = world(14);
    let architecture = mlp(&[2000, 2], 8, 8, 14).architecture().clone();
    world.card = Card::sign(unsigned_card(&architecture, 14), &world.key).unwrap();
    let features = &world.card.schema().features;
    let records: [Vec<i64>; 3] = [
        vec![0; features.len()],
        features.iter().map(|f| f.max).collect(),
        features.iter().map(|f| f.min).collect(),
    ];
    let lengths = records.map(|record| {
        world.input.record = record;
        world.send().request().to_bytes().len()
    });
    assert_eq!(lengths, [lengths[0]; 3]);
    // By themselves, 2,000 zeros would take less than 4 KiB.
    assert!(lengths[0] > 16 << 10, "{lengths:?}");
}

/// A proof that is somewhat longer than the one by which lengths were measured is padded like a refusal all the same.
#[test]
fn a_longer_claim_is_padded_no_further() {
    let mut world = world(15);
    let pending = world.send();
    let opened = world.opened(&pending);
    for length in (15_800..16_500).step_by(20) {
        let proof = world.proof(&opened, length);
        let measured = proof.to_bytes().len() - 200;
        let mut len =
            |answer| opened.answer(&answer, measured, &world.key, &mut world.rng).unwrap().to_bytes().len();
        assert_eq!(len(Answer::Proved(proof)), len(Answer::Refused(Refusal::Failed)), "{length}");
    }
}

#[test]
fn nothing_that_travels_repeats_or_links() {
    let mut world = world(8);
    let (a, b) = (world.send(), world.send());
    assert_ne!(a.id(), b.id());
    assert_ne!(a.context(), b.context());
    assert_ne!(a.request().header().capability_hash, b.request().header().capability_hash);
    // What a disclosed proof shows occurs nowhere in the message.
    let context = a.context();
    let digest = hex::decode(context.as_str().strip_prefix("tacit exchange 1: ").unwrap()).unwrap();
    let travelled = a.request().to_bytes();
    for secret in [&digest[..], world.input.commitments[&EngineId::Sumcheck].commitment.as_bytes()] {
        assert!(!travelled.windows(secret.len()).any(|w| w == secret));
    }
    for value in &world.input.record {
        let little = value.to_le_bytes();
        assert!(!travelled.windows(8).any(|w| w == little));
    }
    // The control: the sealed content holds what was looked for.
    let kept = a.to_bytes();
    let commitment = world.input.commitments[&EngineId::Sumcheck].commitment.as_bytes();
    assert!(kept.windows(commitment.len()).any(|w| w == commitment));
}

#[test]
fn nothing_shows_a_secret() {
    let mut world = world(9);
    let pending = world.send();
    let opened = world.opened(&pending);
    let capability = Capability::new([0xc5; 32]);
    let shown = format!("{pending:?} {opened:?} {:?} {capability:?} {:?}", world.prekey, pending.request());
    for secret in ["7654321", "1234567", "c5c5", "197, 197"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!shown.contains(&*pending.capability().to_bearer()));
    let refused = Answer::Refused(Refusal::OutOfRange { feature: 1, value: -7_654_321 });
    let proved = Answer::Proved(world.proof(&opened, 20));
    let shown = format!("{refused:?} {refused:#?} {proved:?}");
    assert!(!shown.contains("7654321") && !shown.contains("values"), "{shown}");
}

#[test]
fn request_files_are_strict() {
    let mut world = world(10);
    let file = world.send().to_bytes();
    for at in (0..file.len()).step_by(7) {
        let mut bad = file.to_vec();
        bad[at] ^= 0x10;
        assert!(PendingRequest::from_bytes(&bad).is_err(), "byte {at}");
    }
    assert!(matches!(PendingRequest::from_bytes(&file[..file.len() - 1]), Err(PendingError::File(_))));
}

fn document(world: &World, issued_at: u64, card: tacit_claim::CardId) -> UnsignedProvider {
    UnsignedProvider {
        card,
        relay: "https://relay.example".into(),
        contact: Some("front desk".into()),
        issued_at,
        prekeys: vec![world.prekey.public().clone()],
    }
}

#[test]
fn documents_are_the_owners_and_about_the_card() {
    let world = world(11);
    let good = ProviderDocument::sign(document(&world, NOW, world.card.id()), &world.key).unwrap();
    assert_eq!(ProviderDocument::from_json(good.to_json()).unwrap(), good);
    assert_eq!(good.check_for(&world.card), Ok(()));
    assert_eq!(good.prekey_at(NOW).unwrap().id(), world.prekey.public().id());
    assert_eq!(good.prekey_at(NOW + 3600), Err(ProviderError::Expired));
    assert!(
        good.takes(world.prekey.public().id(), NOW) && !good.takes(world.prekey.public().id(), NOW + 3600)
    );
    let foreign = ProviderDocument::sign(document(&world, NOW, world.card.id()), &owner(77)).unwrap();
    assert!(matches!(foreign.check_for(&world.card), Err(ProviderError::OtherOwner { .. })));
    let other =
        ProviderDocument::sign(document(&world, NOW, tacit_claim::CardId([7; 32])), &world.key).unwrap();
    assert!(matches!(other.check_for(&world.card), Err(ProviderError::OtherCard { .. })));
    for at in (0..good.to_json().len()).step_by(3) {
        let mut bad = good.to_json().to_vec();
        bad[at] ^= 1;
        assert!(ProviderDocument::from_json(&bad).is_err(), "byte {at}");
    }
    for (relay, prekeys) in [("", 1), ("https://a b", 1), ("https://relay.example", 0)] {
        let mut content = document(&world, NOW, world.card.id());
        content.relay = relay.into();
        content.prekeys.truncate(prekeys);
        assert!(ProviderDocument::sign(content, &world.key).is_err());
    }
}

#[test]
fn prekeys_rest_encrypted_and_are_forgotten() {
    let mut world = world(12);
    let mut prekeys = Prekeys::default();
    for end in [NOW - 10, NOW + 10, NOW + 20] {
        prekeys.push(PrekeySecret::generate(end, &mut world.rng));
    }
    prekeys.push(world.prekey.clone());
    let file = prekeys.to_bytes(&world.key, world.card.id(), &mut world.rng);
    let seed_free = prekeys.to_bytes(&world.key, world.card.id(), &mut world.rng);
    assert_ne!(file, seed_free, "a fresh nonce each time");
    let mut again = Prekeys::from_bytes(&file, &world.key, world.card.id()).unwrap();
    assert!(again.get(world.prekey.public().id()).is_some());
    assert_eq!(again.public_at(NOW).len(), 3);
    assert_eq!(again.forget(NOW), 1);
    for bad in [
        Prekeys::from_bytes(&file, &owner(50), world.card.id()),
        Prekeys::from_bytes(&file, &world.key, tacit_claim::CardId([1; 32])),
        Prekeys::from_bytes(&file[..file.len() - 1], &world.key, world.card.id()),
    ] {
        assert_eq!(bad.unwrap_err(), PrekeysError::Open);
    }
    for at in 0..file.len() {
        let mut bad = file.clone();
        bad[at] ^= 1;
        assert!(Prekeys::from_bytes(&bad, &world.key, world.card.id()).is_err());
    }
}

#[test]
fn key_files_open_with_their_passphrase_alone() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let key = owner(13);
    let text = key_file::encrypt(&key, "correct horse", &mut rng).unwrap();
    assert!(key_file::is_encrypted(text.as_bytes()));
    assert!(!text.contains(&key.to_text().lines().find(|l| l.starts_with("secret")).unwrap()[7..]));
    assert_eq!(key_file::decrypt(text.as_bytes(), "correct horse").unwrap().public(), key.public());
    assert_eq!(
        key_file::decrypt(text.as_bytes(), "battery staple").unwrap_err(),
        key_file::KeyFileError::Passphrase
    );
    assert_eq!(key_file::encrypt(&key, "", &mut rng).unwrap_err(), key_file::KeyFileError::Empty);
    let greedy = text.replace("argon2id 65536", "argon2id 4000000000");
    assert!(matches!(
        key_file::decrypt(greedy.as_bytes(), "correct horse"),
        Err(key_file::KeyFileError::Parameters(4_000_000_000))
    ));
    let other = owner(14).public().fingerprint().to_string();
    let renamed = text.replace(&key.public().fingerprint().to_string(), &other);
    assert!(key_file::decrypt(renamed.as_bytes(), "correct horse").is_err());
    let (clear, sealed) = text.split_once("sealed ").unwrap();
    let spelt = format!("{clear}sealed {}", sealed.to_uppercase());
    assert_eq!(
        key_file::decrypt(spelt.as_bytes(), "correct horse").unwrap_err(),
        key_file::KeyFileError::Line("sealed")
    );
    assert!(key_file::decrypt(format!("{text}\n").as_bytes(), "correct horse").is_err());
    assert!(key_file::decrypt(&text.as_bytes()[..text.len() - 2], "correct horse").is_err());
}

/// Version 1 as it is: an encoding that drifts breaks every message on its way.
#[test]
fn version_1_is_pinned() {
    let mut world = world(2026);
    let pending = world.send();
    let opened = world.opened(&pending);
    let answer = Answer::Refused(Refusal::OutOfRange { feature: 2, value: -5 });
    let response = opened.answer(&answer, 0, &world.key, &mut world.rng).unwrap();
    let digest = |bytes: &[u8]| hex::encode(&Sha256::digest(bytes)[..16]);
    let found = [
        digest(pending.request().to_bytes()),
        digest(response.to_bytes()),
        digest(&pending.to_bytes()),
        digest(pending.context().as_str().as_bytes()),
    ];
    assert_eq!(found, PINNED);
}

const PINNED: [&str; 4] = [
    "6f539c714884d9c9fbbc92701563aafc",
    "e3e83861b239f91e6bdf726fee0f9e97",
    "82c7f4e9e24e97d73249adebaddd767f",
    "3f2c35f5e8c7e7832e0f188392a8a68a",
];

/// Files at rest as they are: one that drifts locks its owner out.
#[test]
fn files_at_rest_are_pinned() {
    let mut world = world(2027);
    let mut prekeys = Prekeys::default();
    prekeys.push(world.prekey.clone());
    let digest = |bytes: &[u8]| hex::encode(&Sha256::digest(bytes)[..16]);
    let found = [
        digest(&prekeys.to_bytes(&world.key, world.card.id(), &mut world.rng)),
        digest(key_file::encrypt(&world.key, "correct horse", &mut world.rng).unwrap().as_bytes()),
    ];
    assert_eq!(found, ["5871558b60af999dd04b862016ca8fd7", "b58188e74b29cb93290545c7011a0a4c"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn hostile_bytes_are_refused(seed: u64, len in 0usize..6000, kind in 0..4) {
        let mut bytes = vec![0; len];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        let magic: &[u8] = match kind {
            0 => b"TACITREQ\x01\x00",
            1 => b"TACITRSP\x01\x00\x00",
            2 => b"TACITRSP\x01\x00\x01",
            _ => b"TACITPND\x01\x00",
        };
        let n = magic.len().min(len);
        bytes[..n].copy_from_slice(&magic[..n]);
        let _ = SealedRequest::from_bytes(&bytes);
        let _ = SealedResponse::from_bytes(&bytes);
        prop_assert!(PendingRequest::from_bytes(&bytes).is_err());
        prop_assert!(ProviderDocument::from_json(&bytes).is_err());
        prop_assert!(key_file::decrypt(&bytes, "x").is_err());
    }
}
