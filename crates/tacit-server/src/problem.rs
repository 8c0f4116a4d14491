//! What a client is told when a call fails: RFC 9457. What happened inside is logged, not told.

use std::borrow::Cow;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tacit_exchange::http_signature::{HttpSignatureError, Stale};

use crate::store::{Quota, StoreError};

/// Declares the kinds of problems: name, last part of the type's URN, status, title.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $urn:literal, $status:ident, $title:literal;)*) => {
        /// What can go wrong, as a client sees it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The problem's type.
            pub(crate) const fn urn(self) -> &'static str {
                match self { $(Self::$name => concat!("urn:tacit:problem:", $urn),)* }
            }

            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

kinds! {
    Malformed, "malformed", BAD_REQUEST, "The call is malformed";
    OutOfWindow, "out-of-window", BAD_REQUEST, "The request is too old, or from the future";
    Unsigned, "unsigned", UNAUTHORIZED, "The call must be signed";
    BadSignature, "bad-signature", UNAUTHORIZED, "The signature does not hold";
    Stale, "stale", UNAUTHORIZED, "The signature is not fresh";
    Replayed, "replayed", UNAUTHORIZED, "The signature was used before";
    NoCapability, "no-capability", UNAUTHORIZED, "The request's capability is missing";
    NotOwner, "not-owner", FORBIDDEN, "Only the card's owner may do this";
    NotPublisher, "not-publisher", FORBIDDEN, "This relay takes cards of certain owners only";
    TooManyCards, "too-many-cards", FORBIDDEN, "The owner has as many cards here as allowed";
    NotFound, "not-found", NOT_FOUND, "There is no such thing here";
    Method, "method-not-allowed", METHOD_NOT_ALLOWED, "The path does not know this method";
    Timeout, "timeout", REQUEST_TIMEOUT, "The body took too long";
    Older, "older-document", CONFLICT, "A document issued at the same time or later is here";
    NotAccepting, "not-accepting", CONFLICT, "The card takes no requests";
    UnknownPrekey, "unknown-prekey", CONFLICT, "The provider's prekey is not current";
    Leased, "leased", CONFLICT, "Another worker holds the request";
    OtherResponse, "other-response", CONFLICT, "Another answer is here and stays";
    Gone, "gone", GONE, "It was here and is not any more";
    TooLarge, "too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    TooMany, "too-many-requests", TOO_MANY_REQUESTS, "Too many calls";
    CardBusy, "card-busy", TOO_MANY_REQUESTS, "Too many requests wait for this card";
    Internal, "internal", INTERNAL_SERVER_ERROR, "The relay failed";
    Busy, "busy", SERVICE_UNAVAILABLE, "The relay is busy or stopping";
    Full, "full", INSUFFICIENT_STORAGE, "The relay's store is full";
}

/// A failed call.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None }
    }

    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    pub(crate) fn unknown_card() -> Self {
        Self::new(Kind::NotFound, "no card with this id was published at this relay")
    }

    /// The same whether there is no such request or the caller has no business with it.
    pub(crate) fn unknown_request() -> Self {
        Self::new(Kind::NotFound, "this relay has no request with this id for you")
    }

    pub(crate) fn gone() -> Self {
        Self::new(Kind::Gone, "the request was answered, deleted or has expired; a new one must be sealed")
    }

    /// The store gave an answer that the call cannot have.
    pub(crate) fn impossible(what: &'static str) -> Self {
        tracing::error!(what, "the store gave an outcome that the call cannot have");
        Self::new(Kind::Internal, "the relay failed; its log says why")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::NotCommitted(_) = error {
            return Self::new(Kind::Busy, "the relay is stopping: try again").retry_after(5);
        }
        tracing::error!(%error, "the store failed");
        if matches!(error, StoreError::Corrupt(_)) {
            return Self::new(Kind::Internal, "the relay failed; its log says why");
        }
        Self::new(Kind::Busy, "the relay's database does not answer: try again").retry_after(5)
    }
}

impl From<Quota> for Problem {
    fn from(quota: Quota) -> Self {
        match quota {
            Quota::Bytes => {
                Self::new(Kind::Full, "the relay's store is full: try again later").retry_after(600)
            }
            Quota::Cards => Self::new(Kind::Full, "the relay takes no further cards").retry_after(86_400),
            Quota::CardsOfOwner => {
                Self::new(Kind::TooManyCards, "this owner has as many cards here as one may have")
            }
            Quota::WaitingOfCard => {
                Self::new(Kind::CardBusy, "the provider has many unanswered requests: try again later")
                    .retry_after(60)
            }
        }
    }
}

impl From<HttpSignatureError> for Problem {
    fn from(error: HttpSignatureError) -> Self {
        use HttpSignatureError as E;
        let kind = match error {
            E::Missing(_) => Kind::Unsigned,
            _ => Kind::BadSignature,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Stale> for Problem {
    fn from(stale: Stale) -> Self {
        Self::new(Kind::Stale, stale.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let document = Document {
            r#type: self.kind.urn(),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(CONTENT_TYPE, "application/problem+json");
        set(CACHE_CONTROL, "no-store");
        match self.kind {
            Kind::NoCapability => set(WWW_AUTHENTICATE, "Bearer"),
            _ if status == StatusCode::UNAUTHORIZED => set(WWW_AUTHENTICATE, "Signature"),
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_problem() {
        let text = include_str!("../../../docs/exchange.md");
        let table = text.split("| type | status | when |").nth(1).unwrap();
        let listed: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with("| `")).collect();
        let name = |kind: &Kind| kind.urn().strip_prefix("urn:tacit:problem:").unwrap();
        let rows = Kind::ALL.iter().map(|kind| format!("| `{}` | {} | ", name(kind), kind.status().as_u16()));
        for (row, line) in rows.zip(&listed) {
            assert!(line.starts_with(&row), "`{row}` is `{line}`");
        }
        assert_eq!(listed.len(), Kind::ALL.len());
    }
}
