//! Bytes that others made: what is sealed here is sealed as they seal it.

use std::collections::BTreeMap;

use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;

use super::*;
use crate::{request, response};

fn vectors() -> BTreeMap<&'static str, Vec<u8>> {
    let mut vectors = BTreeMap::<_, String>::new();
    let mut name = "";
    for line in include_str!("vectors.txt").lines().filter(|l| !l.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(digits) => vectors.entry(name).or_default().push_str(digits),
            None => name = line,
        }
    }
    vectors.into_iter().map(|(name, digits)| (name, hex::decode(digits).unwrap())).collect()
}

fn secret(bytes: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(bytes.try_into().unwrap())
}

/// Gives out these bytes, once.
struct Given<'a>(&'a [u8]);

impl TryRng for Given<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("bytes alone are asked for")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("bytes alone are asked for")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(self.0.split_off(..bytes.len()).unwrap());
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}

#[test]
fn x_wing_is_the_drafts() {
    let vectors = vectors();
    let key = SecretKey::from_seed(secret(&vectors["xwing.sk"]));
    assert_eq!(key.public(), vectors["xwing.pk"]);
    let encapsulated = EncappedKey::from_bytes(&vectors["xwing.ct"]).unwrap();
    let shared = XWing::decap(&key.key(), None, &encapsulated).unwrap();
    assert_eq!(shared.0.as_slice(), vectors["xwing.ss"]);
    let public = PublicKey::from_bytes(&vectors["xwing.pk"]).unwrap();
    let mut random = Given(&vectors["xwing.eseed"]);
    let (shared, encapsulated) = XWing::encap_with_rng(&public, None, &mut random).unwrap();
    assert_eq!(shared.0.as_slice(), vectors["xwing.ss"]);
    assert_eq!(encapsulated.to_bytes().as_slice(), vectors["xwing.ct"]);
}

#[test]
fn what_another_implementation_seals_is_opened() {
    let vectors = vectors();
    let psk_secret = secret(&vectors["psk.psk"]);
    let psk_id = secret(&vectors["psk.psk_id"]);
    let psk = || Some(Psk { secret: &psk_secret, id: &psk_id });
    let open = |mode: &str, info: &'static [u8], aad: &str, psk: Option<Psk<'_>>| {
        let part = |name: &str| &vectors[format!("{mode}.{name}").as_str()];
        let key = SecretKey::from_seed(secret(part("sk")));
        assert_eq!(&key.public(), part("pk"));
        let frame = Frame { info, aad: aad.as_bytes(), psk };
        let (content, exported) = super::open(&key, &frame, part("enc"), part("ct"))?;
        assert_eq!(exported.as_slice(), part("exported"));
        assert_eq!(*content, b"made by another implementation");
        Ok(())
    };
    let (base, answer) = ("the clear part of a base message", "the clear part of a psk message");
    assert_eq!(open("base", request::INFO, base, None), Ok(()));
    assert_eq!(open("psk", response::INFO, answer, psk()), Ok(()));
    for wrong in [
        open("base", response::INFO, base, None),
        open("base", request::INFO, answer, None),
        open("base", request::INFO, base, psk()),
        open("psk", request::INFO, answer, psk()),
        open("psk", response::INFO, base, psk()),
        open("psk", response::INFO, answer, None),
        open("psk", response::INFO, answer, Some(Psk { secret: &psk_id, id: &psk_id })),
        open("psk", response::INFO, answer, Some(Psk { secret: &psk_secret, id: &psk_secret })),
    ] {
        assert_eq!(wrong, Err(SealError::Open));
    }
}

/// The library's two modes, nonces and export, in a suite that the RFC has vectors of.
#[test]
fn hpke_is_the_rfcs() {
    let vectors = vectors();
    for section in ["a21", "a22"] {
        let part = |name: &str| vectors.get(format!("{section}.{name}").as_str());
        let key = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(part("sk").unwrap()).unwrap();
        assert_eq!(X25519HkdfSha256::sk_to_pk(&key).to_bytes().as_slice(), part("pk").unwrap());
        let encapsulated =
            <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(part("enc").unwrap()).unwrap();
        let mode = part("psk")
            .map_or(OpModeR::Base, |psk| OpModeR::Psk(PskBundle::new(psk, part("psk_id").unwrap()).unwrap()));
        let mut context: AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256> =
            hpke::setup_receiver(&mode, &key, &encapsulated, &vectors["rfc.info"]).unwrap();
        assert_eq!(context.open(part("ct0").unwrap(), b"Count-0").unwrap(), vectors["rfc.pt"]);
        assert_eq!(context.open(part("ct1").unwrap(), b"Count-1").unwrap(), vectors["rfc.pt"]);
        let mut exported = [0; 32];
        context.export(b"TestContext", &mut exported).unwrap();
        assert_eq!(exported.as_slice(), part("exported").unwrap());
    }
}
