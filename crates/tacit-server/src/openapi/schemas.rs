//! The schemas.

use serde_json::{Value, json};

use crate::limits::Limits;
use crate::{cards, requests};

fn hex(digits: usize, description: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$"), "description": description })
}

fn number(least: u64, most: u64, default: Option<u64>, description: &str) -> Value {
    let mut schema =
        json!({ "type": "integer", "minimum": least, "maximum": most, "description": description });
    if let Some(default) = default {
        schema["default"] = default.into();
    }
    schema
}

fn object(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().map(|p| p.keys().cloned().collect()).unwrap_or_default();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn next() -> Value {
    json!({ "type": ["string", "null"], "pattern": "^[0-9]+$", "description": "`after` for the next page; null after the last" })
}

pub(super) fn all(limits: &Limits) -> Value {
    let time = || json!({ "type": "integer", "minimum": 0, "description": "Seconds since 1970" });
    json!({
        "Id": hex(64, "SHA-256, in lower-case hexadecimal digits"),
        "Worker": hex(32, "What a worker made up, in lower-case hexadecimal digits"),
        "Cursor": number(0, cards::MAX_CURSOR, Some(0), "Behind which entry the page begins"),
        "Wait": number(0, limits.wait.as_secs(), Some(0), "Seconds to wait at most"),
        "CardLimit": number(1, cards::MAX_PAGE, Some(cards::PAGE), "Entries on the page"),
        "RequestLimit": number(1, requests::MAX_PAGE, Some(requests::PAGE), "Entries on the page"),
        "Binary": { "type": "string", "format": "binary", "description": "A file or a sealed message; see its format" },
        "Text": { "type": "string" },
        "Anything": { "type": "object" },
        "Health": object(json!({ "status": { "type": "string", "enum": ["ok"] } })),
        "Card": {
            "type": "object",
            "description": "card.json, canonical JSON (RFC 8785), signed by its owner",
            "required": ["format", "signature"],
            "properties": {
                "format": { "type": "string", "enum": ["tacit.card/1"] },
                "signature": hex(128, "Ed25519"),
            },
        },
        "Provider": {
            "type": "object",
            "description": "provider.json, canonical JSON (RFC 8785), signed by the card's owner",
            "required": ["format", "signature"],
            "properties": {
                "format": { "type": "string", "enum": ["tacit.provider/1"] },
                "signature": hex(128, "Ed25519"),
            },
        },
        "Cards": object(json!({
            "cards": { "type": "array", "maxItems": cards::MAX_PAGE, "items": object(json!({
                "id": reference("Id"),
                "name": { "type": "string" },
                "owner": { "type": "string", "pattern": "^tacit1[02-9ac-hj-np-z]{58}$" },
                "engines": { "type": "array", "minItems": 1, "items": { "type": "string", "enum": ["sumcheck", "halo2"] } },
                "weights": { "type": "string", "enum": ["hidden", "public"] },
                "published_at": time(),
                "accepts_requests": { "type": "boolean" },
            })) },
            "next": next(),
        })),
        "Posted": object(json!({ "id": reference("Id") })),
        "Requests": object(json!({
            "requests": { "type": "array", "maxItems": requests::MAX_PAGE, "items": object(json!({
                "id": reference("Id"),
                "size": { "type": "integer", "minimum": 0, "description": "Bytes" },
                "received_at": time(),
            })) },
            "next": next(),
        })),
        "Lease": object(json!({
            "worker": reference("Worker"),
            "seconds": number(1, limits.lease.as_secs(), None, "For how long"),
        })),
        "Release": object(json!({ "worker": reference("Worker") })),
        "Leased": object(json!({ "expires_at": time() })),
    })
}
