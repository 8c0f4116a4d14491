//! Signed HTTP requests: RFC 9421 message signatures with Ed25519 over RFC 9530 content digests.
//!
//! One profile, and nothing outside it is accepted. Covered are exactly `"@method" "@authority" "@path" "@query"
//! "content-digest"`, in this order, the digest also where the body is empty. The parameters are `created`,
//! `nonce` (16 bytes, 32 hexadecimal digits), `keyid` (the key's fingerprint, `tacit1…`), `alg="ed25519"` and
//! `tag="tacit-relay/1"`. Each of the three fields stands once in a request, holds one member and has one spelling.
//!
//! Whether a signature is *fresh* is for whoever has a clock ([`SignatureInput::check_fresh`]), and whether its nonce
//! was seen before for whoever has a memory.

use sfv::{
    BareItem, DictSerializer, Dictionary, InnerList, Integer, Item, Key, KeyRef, ListEntry, ListSerializer,
    Parser,
};
use sha2::{Digest as _, Sha256};
use tacit_claim::{
    BadSignature, Fingerprint, ForeignFormat, NotOfFormat, OwnerKey, OwnerPublicKey, OwnerSignature,
};

/// What every signature covers, in this order.
pub const COMPONENTS: [&str; 5] = ["@method", "@authority", "@path", "@query", "content-digest"];
/// The parameter `alg`.
pub const ALGORITHM: &str = "ed25519";
/// The parameter `tag`: what the signature is for.
pub const TAG: &str = "tacit-relay/1";
/// Name of the field with the digest of the body.
pub const CONTENT_DIGEST: &str = "content-digest";
/// Name of the field that says what is signed, when and by whom.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// Name of the field with the signature.
pub const SIGNATURE: &str = "signature";

/// The member that our own signatures have in both dictionaries.
const LABEL: &str = "tacit";
/// No field of a signed request is longer, in bytes.
const MAX_FIELD: usize = 1024;

/// What of a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// `PUT`, in capitals.
    pub method: &'a str,
    /// Host, and port unless it is the scheme's own, as in the `host` field. Signed in lower case.
    pub authority: &'a str,
    /// The absolute path as it is sent, percent-encoding included.
    pub path: &'a str,
    /// What stands behind the `?`, as it is sent.
    pub query: Option<&'a str>,
    /// The body; empty where there is none.
    pub body: &'a [u8],
}

/// The three fields of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `content-digest`.
    pub content_digest: String,
    /// `signature-input`.
    pub signature_input: String,
    /// `signature`.
    pub signature: String,
}

impl SignatureHeaders {
    /// Name and value of each field.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (CONTENT_DIGEST, self.content_digest.as_str()),
            (SIGNATURE_INPUT, &self.signature_input),
            (SIGNATURE, &self.signature),
        ]
        .into_iter()
    }
}

/// Why a request is not signed as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpSignatureError {
    /// A field is missing.
    #[error("the request has no `{0}` field")]
    Missing(&'static str),
    /// A field is no such structured field, or not of the profile.
    #[error("the `{field}` field is malformed: {why}")]
    Malformed {
        /// Which.
        field: &'static str,
        /// In which way.
        why: String,
    },
    /// Other components than the profile's are covered.
    #[error(
        "the signature must cover exactly \"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\", in this order"
    )]
    Components,
    /// A parameter is missing or not as the profile has it.
    #[error("the signature's parameter `{0}` is missing or not as it must be")]
    Parameter(&'static str),
    /// The body is not the one that was signed.
    #[error("the content digest is not the body's")]
    Digest,
    /// Another key signed.
    #[error("the request names the key {actual}; it must be signed by {expected}")]
    Key {
        /// Who must sign.
        expected: Fingerprint,
        /// Who says to have signed.
        actual: Fingerprint,
    },
    /// The signature was not made with this key over this request.
    #[error(
        "the signature was not made by this key over this request's method, authority, path, query and body"
    )]
    Signature,
    /// Something of the request that cannot stand in a signature base.
    #[error("the request's {0} cannot be signed: it is empty or has characters that cannot be sent")]
    Unsignable(&'static str),
}

/// A signature made too long ago, or in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request was signed at {created}, which is not within {window} seconds of the clock here, {now} (seconds since 1970): set the clock right or sign again"
)]
pub struct Stale {
    /// When it was signed, by the signer's clock, in seconds since 1970.
    pub created: u64,
    /// The clock here.
    pub now: u64,
    /// How far the two may be apart, in seconds.
    pub window: u64,
}

/// Signs a request. Deterministic; `nonce` must never be used twice with this key.
///
/// # Errors
/// [`HttpSignatureError::Unsignable`] for a request that cannot be sent either, [`HttpSignatureError::Parameter`] for
/// a time beyond the year 31 million.
pub fn sign(
    key: &OwnerKey,
    request: &Signed<'_>,
    created: u64,
    nonce: &[u8; 16],
) -> Result<SignatureHeaders, HttpSignatureError> {
    let created = Integer::try_from(created).map_err(|_| HttpSignatureError::Parameter("created"))?;
    let mut covered = InnerList::new(COMPONENTS.iter().map(|name| Item::new(string(name))).collect());
    for (name, value) in [
        ("created", BareItem::Integer(created)),
        ("nonce", string(&hex::encode(nonce))),
        ("keyid", string(&key.public().fingerprint().to_string())),
        ("alg", string(ALGORITHM)),
        ("tag", string(TAG)),
    ] {
        covered.params.insert(label(name), value);
    }
    let content_digest = content_digest(request.body);
    let base = signature_base(request, &content_digest, &parameters(&covered))?;
    let signature = key
        .sign_foreign(ForeignFormat::HttpSignature, base.as_bytes())
        .map_err(|NotOfFormat(_)| HttpSignatureError::Unsignable("path"))?;
    Ok(SignatureHeaders {
        content_digest,
        signature_input: dictionary(&label(LABEL), &covered.into()),
        signature: dictionary(&label(LABEL), &ListEntry::Item(Item::new(signature.0.to_vec()))),
    })
}

/// What a request's fields say about its signature. Nothing of it is true before [`SignatureInput::verify`].
#[derive(Debug, Clone, PartialEq)]
pub struct SignatureInput {
    /// When it was signed, by the signer's clock, in seconds since 1970.
    pub created: u64,
    /// Never used twice by one key.
    pub nonce: [u8; 16],
    /// Who says to have signed.
    pub fingerprint: Fingerprint,
    digest: [u8; 32],
    parameters: String,
    signature: OwnerSignature,
}

fn text<'v>((name, value): (&'static str, &'v BareItem)) -> Result<&'v str, HttpSignatureError> {
    match value {
        BareItem::String(text) => Ok(text.as_str()),
        _ => Err(HttpSignatureError::Parameter(name)),
    }
}

/// Reads the three fields of a request by `field`, which gives the one value of the field of that (lower-case) name.
///
/// # Errors
/// [`HttpSignatureError`] for anything but the one profile.
pub fn parse<'a>(
    mut field: impl FnMut(&'static str) -> Option<&'a str>,
) -> Result<SignatureInput, HttpSignatureError> {
    let mut get = |name| field(name).ok_or(HttpSignatureError::Missing(name));
    let (input, signature, digest) = (get(SIGNATURE_INPUT)?, get(SIGNATURE)?, get(CONTENT_DIGEST)?);

    let (label, ListEntry::InnerList(covered)) = only_member(SIGNATURE_INPUT, input)? else {
        return Err(malformed(SIGNATURE_INPUT, "its member is not a list of components"));
    };
    let names = covered.items.iter().map(|item| match &item.bare_item {
        BareItem::String(name) if item.params.is_empty() => name.as_str(),
        _ => "",
    });
    if !names.eq(COMPONENTS) {
        return Err(HttpSignatureError::Components);
    }
    let parameter = |name: &'static str| {
        covered.params.get(name).ok_or(HttpSignatureError::Parameter(name)).map(|value| (name, value))
    };
    let created = match parameter("created")? {
        (_, BareItem::Integer(created)) => u64::try_from(*created).ok(),
        _ => None,
    }
    .ok_or(HttpSignatureError::Parameter("created"))?;
    let nonce_text = text(parameter("nonce")?)?;
    let mut nonce = [0; 16];
    hex::decode_to_slice(nonce_text, &mut nonce).map_err(|_| HttpSignatureError::Parameter("nonce"))?;
    if hex::encode(nonce) != nonce_text {
        return Err(HttpSignatureError::Parameter("nonce"));
    }
    let fingerprint =
        text(parameter("keyid")?)?.parse().map_err(|_| HttpSignatureError::Parameter("keyid"))?;
    for (name, wanted) in [("alg", ALGORITHM), ("tag", TAG)] {
        if text(parameter(name)?)? != wanted {
            return Err(HttpSignatureError::Parameter(name));
        }
    }
    if covered.params.len() != 5 {
        return Err(malformed(
            SIGNATURE_INPUT,
            "it has other parameters than created, nonce, keyid, alg, tag",
        ));
    }

    let signature = match only_member(SIGNATURE, signature)? {
        (other, _) if other != label => {
            return Err(malformed(SIGNATURE, "its label is not that of the signature-input field"));
        }
        (_, ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), params }))
            if params.is_empty() =>
        {
            bytes.try_into().map_err(|_| malformed(SIGNATURE, "an Ed25519 signature has 64 bytes"))?
        }
        _ => return Err(malformed(SIGNATURE, "its member is not a byte sequence")),
    };
    let digest = match only_member(CONTENT_DIGEST, digest)? {
        (algorithm, ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), params }))
            if algorithm.as_str() == "sha-256" && params.is_empty() =>
        {
            bytes.try_into().map_err(|_| malformed(CONTENT_DIGEST, "a SHA-256 digest has 32 bytes"))?
        }
        _ => return Err(malformed(CONTENT_DIGEST, "it must be `sha-256=:…:` and nothing else")),
    };
    Ok(SignatureInput {
        created,
        nonce,
        fingerprint,
        digest,
        parameters: parameters(&covered),
        signature: OwnerSignature(signature),
    })
}

impl SignatureInput {
    /// Checks that `key` signed `request`.
    ///
    /// # Errors
    /// [`HttpSignatureError`]: another key, another body, another request.
    pub fn verify(&self, key: &OwnerPublicKey, request: &Signed<'_>) -> Result<(), HttpSignatureError> {
        let expected = key.fingerprint();
        if self.fingerprint != expected {
            return Err(HttpSignatureError::Key { expected, actual: self.fingerprint });
        }
        let digest: [u8; 32] = Sha256::digest(request.body).into();
        if self.digest != digest {
            return Err(HttpSignatureError::Digest);
        }
        let base = signature_base(request, &content_digest_of(&digest), &self.parameters)?;
        key.verify_foreign(ForeignFormat::HttpSignature, base.as_bytes(), &self.signature)
            .map_err(|BadSignature| HttpSignatureError::Signature)
    }

    /// Checks that the signature was made within `window` seconds of the clock here, before or after.
    ///
    /// # Errors
    /// [`Stale`].
    pub fn check_fresh(&self, now: u64, window: u64) -> Result<(), Stale> {
        let created = self.created;
        if created.abs_diff(now) <= window { Ok(()) } else { Err(Stale { created, now, window }) }
    }
}

/// The value of the `content-digest` field for a body (RFC 9530, SHA-256).
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    content_digest_of(&Sha256::digest(body).into())
}

fn content_digest_of(digest: &[u8; 32]) -> String {
    dictionary(&label("sha-256"), &ListEntry::Item(Item::new(digest.to_vec())))
}

/// RFC 9421, section 2.5.
fn signature_base(
    request: &Signed<'_>,
    content_digest: &str,
    parameters: &str,
) -> Result<String, HttpSignatureError> {
    let query = format!("?{}", request.query.unwrap_or(""));
    let authority = request.authority.to_ascii_lowercase();
    for (what, value) in
        [("method", request.method), ("authority", &authority), ("path", request.path), ("query", &query)]
    {
        // A line break in a component could pass for the next one.
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(HttpSignatureError::Unsignable(what));
        }
    }
    let values = [request.method, &authority, request.path, &query, content_digest];
    Ok(base_of(COMPONENTS.into_iter().zip(values), parameters))
}

fn base_of<'a>(components: impl IntoIterator<Item = (&'a str, &'a str)>, parameters: &str) -> String {
    let mut base = String::with_capacity(512);
    for (name, value) in components {
        base.extend(["\"", name, "\": ", value, "\n"]);
    }
    base.extend(["\"@signature-params\": ", parameters]);
    base
}

/// The value of `@signature-params`.
fn parameters(covered: &InnerList) -> String {
    let mut list = ListSerializer::new();
    {
        let mut inner = list.inner_list();
        inner.items(&covered.items);
        inner.finish().parameters(&covered.params);
    }
    list.finish().unwrap_or_default()
}

fn dictionary(name: &KeyRef, member: &ListEntry) -> String {
    let mut dictionary = DictSerializer::new();
    dictionary.members([(name, member)]);
    dictionary.finish().unwrap_or_default()
}

fn only_member(field: &'static str, text: &str) -> Result<(Key, ListEntry), HttpSignatureError> {
    if text.len() > MAX_FIELD {
        return Err(malformed(field, "it is too long"));
    }
    let members: Dictionary = Parser::new(text)
        .parse()
        .map_err(|_| malformed(field, "it is no dictionary of structured fields"))?;
    let mut members = members.into_iter();
    let (Some((name, member)), None) = (members.next(), members.next()) else {
        return Err(malformed(field, "it must have exactly one member"));
    };
    // Base64 has spare bits, lists have optional blanks.
    if dictionary(&name, &member) != text {
        return Err(malformed(field, "it is not spelled as structured fields are written"));
    }
    Ok((name, member))
}

fn malformed(field: &'static str, why: &str) -> HttpSignatureError {
    HttpSignatureError::Malformed { field, why: why.to_owned() }
}

fn string(text: &str) -> BareItem {
    BareItem::String(sfv::String::from_string(text.to_owned()).expect("our own texts are printable ASCII"))
}

fn label(text: &str) -> Key {
    Key::from_string(text.to_owned()).expect("our own names are keys")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;

    fn key(seed: u8) -> OwnerKey {
        OwnerKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    const REQUEST: Signed<'static> = Signed {
        method: "PUT",
        authority: "Relay.example:8443",
        path: "/v1/requests/ab%20cd/lease",
        query: Some("wait=30&after=7"),
        body: b"{\"worker\":\"00\"}",
    };

    fn read(headers: &SignatureHeaders) -> Result<SignatureInput, HttpSignatureError> {
        parse(|name| headers.fields().find(|(n, _)| *n == name).map(|(_, value)| value))
    }

    fn signed() -> SignatureHeaders {
        sign(&key(1), &REQUEST, 1_800_000_000, &[7; 16]).expect("can be sent")
    }

    /// RFC 9421, appendix B.2.6, whose components are not those of our profile: the signature base is built by the
    /// same function, and the signature is that of the RFC's key over it.
    #[test]
    fn the_example_of_the_rfc() {
        let seed = STANDARD.decode("n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=").expect("base64");
        let public = STANDARD.decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=").expect("base64");
        let key = ed25519_dalek::SigningKey::from_bytes(&seed.try_into().expect("32 bytes"));
        assert_eq!(key.verifying_key().as_bytes().as_slice(), public);
        let input = concat!(
            r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")"#,
            r#";created=1618884473;keyid="test-key-ed25519""#
        );
        let (_, ListEntry::InnerList(covered)) = only_member(SIGNATURE_INPUT, input).expect("a dictionary")
        else {
            panic!("a list of components");
        };
        let base = base_of(
            [
                ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
                ("@method", "POST"),
                ("@path", "/foo"),
                ("@authority", "example.com"),
                ("content-type", "application/json"),
                ("content-length", "18"),
            ],
            &parameters(&covered),
        );
        let expected = r#""date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
        assert_eq!(base, expected);
        let signature = ed25519_dalek::Signer::sign(&key, base.as_bytes()).to_bytes();
        let signature_field = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
        assert_eq!(
            dictionary(&label("sig-b26"), &ListEntry::Item(Item::new(signature.to_vec()))),
            signature_field
        );
        // It does not cover what ours must, and begins otherwise: none of ours can be one of these.
        let digest = content_digest(b"{\"hello\": \"world\"}");
        assert_eq!(digest, "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
        let fields = SignatureHeaders {
            content_digest: digest,
            signature_input: input.into(),
            signature: signature_field.into(),
        };
        assert_eq!(read(&fields), Err(HttpSignatureError::Components));
        let public = OwnerPublicKey::from_bytes(key.verifying_key().as_bytes()).expect("a key");
        let signature = OwnerSignature(signature);
        assert_eq!(
            public.verify_foreign(ForeignFormat::HttpSignature, base.as_bytes(), &signature),
            Err(BadSignature)
        );
    }

    #[test]
    fn a_pinned_signature() {
        let headers = signed();
        assert_eq!(headers.content_digest, "sha-256=:F/E0T594GqRR6ilbDcHDD+xmD5A42I2EO9T0+158WBk=:");
        let input = concat!(
            r#"tacit=("@method" "@authority" "@path" "@query" "content-digest");created=1800000000"#,
            r#";nonce="07070707070707070707070707070707""#,
            r#";keyid="tacit1f63sezccw8lc6ady6d2w66qf0k459m7y0xka7f6wfahz86qwesss5qk8nv""#,
            r#";alg="ed25519";tag="tacit-relay/1""#
        );
        assert_eq!(headers.signature_input, input);
        let signature =
            "gKHVyw3h7Y91pPVUGcIsrfRf/B54QcICyWc0rgcCUFjbgJF5eCd4T8dlulPWJM65/XVAXXd5RYumD+CcxGc1DQ==";
        assert_eq!(headers.signature, format!("tacit=:{signature}:"));
        let input = read(&headers).expect("our own");
        assert_eq!((input.created, input.nonce), (1_800_000_000, [7; 16]));
        assert_eq!(input.fingerprint, key(1).public().fingerprint());
        assert_eq!(input.verify(&key(1).public(), &REQUEST), Ok(()));
        let lower = Signed { authority: "relay.example:8443", ..REQUEST };
        assert_eq!(input.verify(&key(1).public(), &lower), Ok(()));
    }

    #[test]
    fn every_part_is_bound() {
        let input = read(&signed()).expect("our own");
        let public = key(1).public();
        for other in [
            Signed { method: "POST", ..REQUEST },
            Signed { authority: "relay.example", ..REQUEST },
            Signed { path: "/v1/requests/ab", ..REQUEST },
            Signed { path: "/v1/requests/ab%20cd/", ..REQUEST },
            Signed { query: Some("wait=30"), ..REQUEST },
            Signed { query: None, ..REQUEST },
        ] {
            assert_eq!(input.verify(&public, &other), Err(HttpSignatureError::Signature), "{other:?}");
        }
        let body = Signed { body: b"", ..REQUEST };
        assert_eq!(input.verify(&public, &body), Err(HttpSignatureError::Digest));
        let (expected, actual) = (key(2).public().fingerprint(), public.fingerprint());
        assert_eq!(
            input.verify(&key(2).public(), &REQUEST),
            Err(HttpSignatureError::Key { expected, actual })
        );
        let mut later = input.clone();
        later.parameters = later.parameters.replace("1800000000", "1800000001");
        assert_eq!(later.verify(&public, &REQUEST), Err(HttpSignatureError::Signature));
    }

    #[test]
    fn nothing_outside_the_profile_is_read() {
        use HttpSignatureError as E;
        let good = signed();
        let with = |from: &str, to: &str| {
            let mut headers = good.clone();
            for field in [&mut headers.content_digest, &mut headers.signature_input, &mut headers.signature] {
                *field = field.replacen(from, to, 1);
            }
            read(&headers)
        };
        assert!(with("", "").is_ok());
        for (from, to, expected) in [
            ("\"@query\" ", "", E::Components),
            ("\"@method\" \"@authority\"", "\"@authority\" \"@method\"", E::Components),
            ("\"@path\"", "\"@path\";req", E::Components),
            ("\"@path\"", "path", E::Components),
            ("\"content-digest\")", "\"content-digest\" \"date\")", E::Components),
            (";created=1800000000", "", E::Parameter("created")),
            ("created=1800000000", "created=-1", E::Parameter("created")),
            ("created=1800000000", "created=1.5", E::Parameter("created")),
            ("nonce=\"07", "nonce=\"0", E::Parameter("nonce")),
            ("nonce=\"07", "nonce=\"0A0", E::Parameter("nonce")),
            ("keyid=\"tacit1", "keyid=\"tacit2", E::Parameter("keyid")),
            ("alg=\"ed25519\"", "alg=ed25519", E::Parameter("alg")),
            ("alg=\"ed25519\"", "alg=\"hmac-sha256\"", E::Parameter("alg")),
            ("tacit-relay/1", "tacit-relay/2", E::Parameter("tag")),
        ] {
            assert_eq!(with(from, to), Err(expected), "{from} -> {to}");
        }
        for (from, to) in [
            ("tag=\"tacit-relay/1\"", "tag=\"tacit-relay/1\";expires=1900000000"),
            ("sha-256=", "sha-512="),
            ("sha-256=:", "sha-256=:AA"),
            ("sha-256=", "unknown=:AAAA:, sha-256="),
            ("tacit=(", "tacit="),
            ("tacit=:", "other=:"),
            ("tacit=:", "tacit=:AAAA"),
            ("tacit=:", "tacit="),
            ("tacit=(", "a=1, tacit=("),
            ("tacit=(", "tacit=( "),
            ("DQ==:", "DR==:"),
        ] {
            assert!(
                matches!(with(from, to), Err(E::Malformed { .. })),
                "{from} -> {to}: {:?}",
                with(from, to)
            );
        }
        for missing in [CONTENT_DIGEST, SIGNATURE_INPUT, SIGNATURE] {
            let read = parse(|name| {
                good.fields().find(|(n, _)| *n == name && name != missing).map(|(_, value)| value)
            });
            assert_eq!(read, Err(E::Missing(missing)));
        }
    }

    #[test]
    fn lines_cannot_be_smuggled_in() {
        let smuggled = "/a\n\"@query\": ?";
        for bad in [
            Signed { path: smuggled, ..REQUEST },
            Signed { path: "", ..REQUEST },
            Signed { path: "/ä", ..REQUEST },
            Signed { method: "PUT\n", ..REQUEST },
            Signed { authority: "a b", ..REQUEST },
            Signed { query: Some("\r"), ..REQUEST },
        ] {
            let result = sign(&key(1), &bad, 1, &[0; 16]);
            assert!(matches!(result, Err(HttpSignatureError::Unsignable(_))), "{bad:?}: {result:?}");
        }
        assert_eq!(
            sign(&key(1), &REQUEST, u64::MAX, &[0; 16]),
            Err(HttpSignatureError::Parameter("created"))
        );
    }

    #[test]
    fn freshness_has_two_sides() {
        let input = read(&signed()).expect("our own");
        for (now, fresh) in [(0, true), (60, true), (61, false)] {
            assert_eq!(input.check_fresh(1_800_000_000 + now, 60).is_ok(), fresh);
            assert_eq!(input.check_fresh(1_800_000_000 - now, 60).is_ok(), fresh);
        }
        assert!(input.check_fresh(0, 60).is_err() && input.check_fresh(u64::MAX, 60).is_err());
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_nothing_else(
            method in "[A-Z]{1,8}",
            authority in "[a-z0-9.-]{1,30}(:[0-9]{1,5})?",
            path in "/[!-~]{0,60}",
            query in proptest::option::of("[!-~]{0,60}"),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            created in 0..999_999_999_999_999_u64,
            nonce in any::<[u8; 16]>(),
            flip in any::<(u16, u8)>(),
        ) {
            let query = query.as_deref();
            let request = Signed { method: &method, authority: &authority, path: &path, query, body: &body };
            let headers = sign(&key(3), &request, created, &nonce).expect("can be sent");
            let input = read(&headers).expect("our own");
            prop_assert_eq!((input.created, input.nonce), (created, nonce));
            prop_assert_eq!(input.verify(&key(3).public(), &request), Ok(()));
            let mut flipped = headers.clone();
            let fields =
                [&mut flipped.content_digest, &mut flipped.signature_input, &mut flipped.signature];
            let field = fields.into_iter().nth(usize::from(flip.0) % 3).expect("one of three");
            let at = usize::from(flip.0 / 3) % field.len();
            let mut bytes = std::mem::take(field).into_bytes();
            bytes[at] = bytes[at].wrapping_add(flip.1 % 127 + 1) & 0x7f;
            *field = String::from_utf8(bytes).expect("ASCII");
            if let Ok(other) = read(&flipped) && other != input {
                prop_assert!(other.verify(&key(3).public(), &request).is_err());
            }
        }

        #[test]
        fn hostile_fields_do_not_panic(a in any::<String>(), b in "[ -~]{0,200}", c in "tacit=[ -~]{0,100}") {
            for (x, y, z) in [(&a, &b, &c), (&b, &c, &a), (&c, &a, &b)] {
                let fields =
                    SignatureHeaders { content_digest: x.clone(), signature_input: y.clone(), signature: z.clone() };
                prop_assert!(read(&fields).is_err());
            }
        }
    }
}
