//! `/openapi.json`: every path, parameter, body and answer, failures included.
//!
//! The document is written as a table of operations; whatever follows from a rule (which failures a signed call has, which
//! headers a status brings) is said once. A test reads it with an OpenAPI library, and every test that calls the relay holds the
//! answer's status against it.

mod operations;
mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tacit_web::page::{FILES, INDEX, VERIFIER, VERIFIER_TYPE};

use crate::limits::Limits;
use crate::problem::Kind;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Anybody,
    Owner,
    Holder,
}

/// What a successful answer holds.
#[derive(Debug, Clone, Copy)]
enum Content {
    Nothing,
    /// Of this media type, under this schema.
    Of(&'static str, &'static str),
}

/// One operation.
struct Operation {
    method: &'static str,
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    access: Access,
    /// Parameters of the query, by their names among the schemas.
    query: Vec<(&'static str, &'static str)>,
    /// The body: media type, schema, whether it must be there.
    body: Option<(&'static str, &'static str, bool)>,
    success: Vec<(u16, &'static str, Content)>,
    /// Beyond those that every such call has.
    failures: Vec<Kind>,
}

impl Operation {
    fn failures(&self) -> BTreeMap<u16, Vec<Kind>> {
        let mut kinds = vec![Kind::Malformed, Kind::TooMany, Kind::Internal, Kind::Busy];
        match self.access {
            Access::Anybody => {}
            Access::Owner => {
                kinds.extend([Kind::Unsigned, Kind::BadSignature, Kind::Stale, Kind::Replayed]);
                // A signature covers the body, so it is always read.
                kinds.extend([Kind::TooLarge, Kind::Timeout]);
            }
            Access::Holder => kinds.push(Kind::NoCapability),
        }
        if self.body.is_some() {
            kinds.extend([Kind::TooLarge, Kind::Timeout]);
        }
        kinds.extend(&self.failures);
        let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
        for kind in kinds {
            let same = by_status.entry(kind.status().as_u16()).or_default();
            if !same.contains(&kind) {
                same.push(kind);
            }
        }
        by_status
    }

    fn document(&self) -> Value {
        let mut parameters = Vec::new();
        if self.path.contains("{id}") {
            parameters.push(id_parameter());
        }
        for (name, schema) in &self.query {
            let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
            parameters.push(json!({ "name": name, "in": "query", "required": false, "schema": schema }));
        }
        let mut responses: Map<String, Value> = Map::new();
        for (status, description, content) in &self.success {
            let mut response = json!({ "description": description });
            if let Content::Of(media, schema) = content {
                response["content"] =
                    json!({ *media: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } });
            }
            if self.access == Access::Holder && *status == 204 && self.method == "get" {
                response["headers"] = retry_after();
            }
            responses.insert(status.to_string(), response);
        }
        for (status, kinds) in self.failures() {
            responses.insert(status.to_string(), failure(status, &kinds));
        }
        let mut operation = json!({
            "operationId": self.name,
            "summary": self.summary,
            "responses": responses,
        });
        match self.access {
            Access::Anybody => {}
            Access::Owner => {
                for name in ["ContentDigest", "SignatureInput"] {
                    parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
                }
                operation["security"] = json!([{ "owner": [] }]);
            }
            Access::Holder => operation["security"] = json!([{ "holder": [] }]),
        }
        operation["parameters"] = parameters.into();
        if let Some((media, schema, required)) = self.body {
            operation["requestBody"] = json!({
                "required": required,
                "content": { media: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } },
            });
        }
        operation
    }
}

fn id_parameter() -> Value {
    json!({ "name": "id", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Id" } })
}

fn retry_after() -> Value {
    json!({ "retry-after": {
        "description": "Seconds after which to try again",
        "schema": { "type": "integer", "minimum": 1 },
    } })
}

fn failure(status: u16, kinds: &[Kind]) -> Value {
    let types: Vec<_> = kinds.iter().map(|kind| kind.urn()).collect();
    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
    let mut response = json!({
        "description": titles.join("; "),
        "content": { "application/problem+json": { "schema": {
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": { "type": "string", "enum": types },
                "title": { "type": "string", "enum": titles },
                "status": { "type": "integer", "enum": [status] },
                "detail": { "type": "string" },
            },
            "additionalProperties": false,
        } } },
    });
    match status {
        401 => {
            response["headers"] = json!({ "www-authenticate": {
                "description": "What is missing",
                "schema": { "type": "string", "enum": ["Signature", "Bearer"] },
            } });
        }
        409 | 429 | 503 | 507 => response["headers"] = retry_after(),
        _ => {}
    }
    response
}

/// A file of the page.
fn page_file(name: &str, summary: &str, media: &str, may_lack: bool) -> Value {
    let media = media.split(';').next().unwrap_or(media);
    let mut responses = Map::new();
    let schema = json!({ "type": "string" });
    responses
        .insert("200".into(), json!({ "description": summary, "content": { media: { "schema": schema } } }));
    let mut kinds = vec![Kind::TooMany];
    if may_lack {
        kinds.push(Kind::NotFound);
    }
    for kind in kinds {
        let status = kind.status().as_u16();
        responses.insert(status.to_string(), failure(status, &[kind]));
    }
    json!({ "operationId": name, "summary": summary, "tags": ["page"], "responses": responses })
}

/// The document for a relay with these limits.
pub(crate) fn document(limits: &Limits) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations::all() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.document();
    }
    let page = "The page that people open";
    paths.insert(INDEX.path.into(), json!({ "get": page_file("getPage", page, INDEX.content_type, false) }));
    let mut card_page = page_file("getCardPage", page, INDEX.content_type, true);
    card_page["parameters"] = json!([id_parameter()]);
    paths.insert("/cards/{id}".into(), json!({ "get": card_page }));
    for file in FILES {
        let name = format!("get{}", file.path);
        let document = page_file(&name, "A file of the page", file.content_type, false);
        paths.insert(file.path.into(), json!({ "get": document }));
    }
    let verifier = page_file("getVerifier", "The module that verifies in a browser", VERIFIER_TYPE, true);
    paths.insert(VERIFIER.into(), json!({ "get": verifier }));

    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tacit relay",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "Stores signed cards and sealed messages between patients and providers, and can read no message. \
                Failures are problem documents (RFC 9457) with the types listed at each answer.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas::all(limits),
            "parameters": {
                "ContentDigest": {
                    "name": "content-digest", "in": "header", "required": true,
                    "description": "RFC 9530; also where the body is empty",
                    "schema": { "type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$" },
                },
                "SignatureInput": {
                    "name": "signature-input", "in": "header", "required": true,
                    "description": "RFC 9421: one signature over exactly (\"@method\" \"@authority\" \"@path\" \"@query\" \
                        \"content-digest\") with the parameters created, nonce (32 hexadecimal digits, never used before), keyid (the key's \
                        fingerprint, tacit1…), alg=\"ed25519\" and tag=\"tacit-relay/1\"",
                    "schema": {
                        "type": "string", "maxLength": 1024,
                        "pattern": "^[a-z*][a-z0-9_.*-]*=\\(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\"\\);[ -~]+$",
                    },
                },
            },
            "securitySchemes": {
                "owner": {
                    "type": "apiKey", "in": "header", "name": "signature",
                    "description": "An HTTP message signature (RFC 9421) by the key that signed the card, with the label of `signature-input`",
                },
                "holder": {
                    "type": "http", "scheme": "bearer",
                    "description": "The request's capability, 64 hexadecimal digits, whose hash is in the request's header",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openapi_library_reads_it() {
        let document = document(&Limits::default());
        let read: utoipa::openapi::OpenApi = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(read.paths.paths.len(), document["paths"].as_object().unwrap().len());
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    if let Some(Value::String(reference)) = map.get("$ref") {
                        found.push(reference.clone());
                    }
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(list) => list.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document(&Limits::default());
        let mut found = Vec::new();
        references(&document, &mut found);
        for reference in &found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            let reference = format!("#/components/schemas/{name}");
            assert!(found.contains(&reference), "{name} is used nowhere");
        }
    }

    #[test]
    fn every_kind_of_problem_is_documented() {
        let text = document(&Limits::default()).to_string();
        // A method that a path does not know belongs to no operation.
        for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Method) {
            assert!(text.contains(&format!("\"{}\"", kind.urn())), "{kind:?}");
        }
    }
}
