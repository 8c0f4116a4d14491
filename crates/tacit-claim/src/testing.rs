//! Cards, claims and secrets for tests of every crate: deterministic by seed, with made-up commitments.

use tacit_model::Architecture;
use tacit_model::testing::{SplitMix, mlp};
use zeroize::Zeroizing;

use crate::bytes::{CertificateDigest, Commitment, ModelId};
use crate::card::{Accuracy, Card, Policy, Quantisation, UnsignedCard};
use crate::claim::{Claim, Inference, InputClaim, OutputClaim, WeightsClaim};
use crate::commitments::{CardWeights, Commitments, EngineCommitment, Halo2Parameters, SumcheckParameters};
use crate::engine::EngineId;
use crate::owner::OwnerKey;
use crate::salt::SaltBytes;
use crate::text::{CardName, Context};

/// 32 bytes.
#[must_use]
pub fn bytes(seed: u64) -> [u8; 32] {
    let mut rng = SplitMix(seed);
    let mut out = [0; 32];
    for chunk in out.chunks_exact_mut(8) {
        chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    out
}

/// An identity. Anybody can make the same: for tests only.
#[must_use]
pub fn owner(seed: u64) -> OwnerKey {
    OwnerKey::from_seed(&Zeroizing::new(bytes(seed ^ 0x0b5e_55ed)))
}

/// A made-up commitment of 32 bytes.
#[must_use]
pub fn commitment(seed: u64) -> Commitment {
    Commitment::new(bytes(seed ^ 0xc0ff_ee00).to_vec()).expect("32 bytes are allowed")
}

/// A card's content with made-up commitments for every engine and hidden weights.
#[must_use]
pub fn unsigned_card(architecture: &Architecture, seed: u64) -> UnsignedCard {
    let model_id = |engine: u64| ModelId(bytes(seed ^ engine << 32));
    UnsignedCard {
        name: CardName::new(format!("model {seed}")).expect("short and plain"),
        architecture: architecture.clone(),
        weights: CardWeights::Hidden,
        commitments: Commitments {
            halo2: Some(EngineCommitment {
                version: 1,
                weights: commitment(seed ^ 1),
                model_id: model_id(1),
                parameters: Halo2Parameters { circuit_version: 1 },
            }),
            sumcheck: Some(EngineCommitment {
                version: 1,
                weights: commitment(seed ^ 2),
                model_id: model_id(2),
                parameters: SumcheckParameters {
                    certificate: CertificateDigest::of(&bytes(seed ^ 3)),
                    points: None,
                },
            }),
        },
        policy: Policy::default(),
        quantisation: Some(Quantisation {
            float_accuracy: Some(Accuracy { correct: 350, samples: 360 }),
            quantised_accuracy: Some(Accuracy { correct: 349, samples: 360 }),
        }),
    }
}

/// A card of a 3-4-2 perceptron with hidden weights, signed by [`owner`]`(seed)`.
#[must_use]
pub fn card(seed: u64) -> Card {
    sign(unsigned_card(mlp(&[3, 4, 2], 8, 16, seed).architecture(), seed), seed)
}

/// The same with public weights.
#[must_use]
pub fn public_card(seed: u64) -> Card {
    let mut content = unsigned_card(mlp(&[3, 4, 2], 8, 16, seed).architecture(), seed);
    let salts = EngineId::ALL.into_iter().map(|e| (e, SaltBytes::new(bytes(seed ^ 5)))).collect();
    content.weights = CardWeights::Public { salts };
    sign(content, seed)
}

/// Signs with [`owner`]`(seed)`.
///
/// # Panics
/// When the content breaks a rule of cards.
#[must_use]
pub fn sign(content: UnsignedCard, seed: u64) -> Card {
    Card::sign(content, &owner(seed)).expect("the content keeps the rules of cards")
}

/// An inference claim about `card` with hidden weights and input and a made-up answer within bounds.
///
/// # Panics
/// When the card has no commitment under `engine`.
#[must_use]
pub fn claim(card: &Card, engine: EngineId, seed: u64) -> Claim {
    let mut rng = SplitMix(seed);
    let bounds = card.output_bounds();
    let values = (0..card.output_len()).map(|_| rng.range(bounds.lo, bounds.hi)).collect();
    let inference = Inference {
        input: InputClaim::Hidden { commitment: commitment(seed) },
        output: OutputClaim::Public { values },
        weights: WeightsClaim::Hidden,
    };
    let context = Context::new(format!("test {seed}")).expect("short and plain");
    Claim::new(card, engine, inference, context).expect("the card has the engine")
}
