//! The operations.

use super::Access::{Anybody, Holder, Owner};
use super::Content::{Nothing, Of};
use super::Operation;
use crate::cards::{BINARY, JSON};
use crate::problem::Kind;

pub(super) fn all() -> Vec<Operation> {
    [cards(), beside_cards(), requests(), leases(), answers(), operation()].into_iter().flatten().collect()
}

const CARD: &str = "/v1/cards/{id}";
const POINTS: &str = "/v1/cards/{id}/points";
const PROVIDER: &str = "/v1/cards/{id}/provider";
const REQUEST: &str = "/v1/requests/{id}";
const LEASE: &str = "/v1/requests/{id}/lease";
const RESPONSE: &str = "/v1/requests/{id}/response";

fn cards() -> Vec<Operation> {
    vec![
        Operation {
            method: "get",
            path: "/v1/cards",
            name: "listCards",
            summary: "Cards in the order in which they came",
            access: Anybody,
            query: vec![("after", "Cursor"), ("limit", "CardLimit")],
            body: None,
            success: vec![(200, "A page of the list", Of(JSON, "Cards"))],
            failures: vec![],
        },
        Operation {
            method: "get",
            path: CARD,
            name: "getCard",
            summary: "The bytes of a card; their SHA-256 is its id",
            access: Anybody,
            query: vec![],
            body: None,
            success: vec![(200, "card.json", Of(JSON, "Card"))],
            failures: vec![Kind::NotFound],
        },
        Operation {
            method: "put",
            path: CARD,
            name: "putCard",
            summary: "Publishes a card, signed by its owner; it never changes",
            access: Owner,
            query: vec![],
            body: Some((JSON, "Card", true)),
            success: vec![(201, "Published", Nothing), (200, "It was published before", Nothing)],
            failures: vec![Kind::NotOwner, Kind::NotPublisher, Kind::TooManyCards, Kind::Full],
        },
    ]
}

fn beside_cards() -> Vec<Operation> {
    vec![
        Operation {
            method: "get",
            path: POINTS,
            name: "getPoints",
            summary: "What is too large for the card",
            access: Anybody,
            query: vec![],
            body: None,
            success: vec![(200, "card.points", Of(BINARY, "Binary"))],
            failures: vec![Kind::NotFound],
        },
        Operation {
            method: "put",
            path: POINTS,
            name: "putPoints",
            summary: "Stores what is too large for the card, signed by its owner",
            access: Owner,
            query: vec![],
            body: Some((BINARY, "Binary", true)),
            success: vec![(201, "Stored", Nothing), (200, "Stored before, or replaced", Nothing)],
            failures: vec![Kind::NotFound, Kind::NotOwner, Kind::Full],
        },
        Operation {
            method: "get",
            path: PROVIDER,
            name: "getProvider",
            summary: "Where and with which keys requests for the card are taken",
            access: Anybody,
            query: vec![],
            body: None,
            success: vec![(200, "provider.json", Of(JSON, "Provider"))],
            failures: vec![Kind::NotFound],
        },
        Operation {
            method: "put",
            path: PROVIDER,
            name: "putProvider",
            summary: "Stores a provider document in place of an older one, signed by the card's owner",
            access: Owner,
            query: vec![],
            body: Some((JSON, "Provider", true)),
            success: vec![(201, "Stored", Nothing), (200, "Stored before, or replaced", Nothing)],
            failures: vec![Kind::NotFound, Kind::NotOwner, Kind::Older, Kind::Full],
        },
    ]
}

fn requests() -> Vec<Operation> {
    vec![
        Operation {
            method: "post",
            path: "/v1/requests",
            name: "postRequest",
            summary: "Leaves a sealed request; the same bytes twice are one request",
            access: Anybody,
            query: vec![],
            body: Some((BINARY, "Binary", true)),
            success: vec![
                (201, "Stored and synced to the disk", Of(JSON, "Posted")),
                (200, "It was here before", Of(JSON, "Posted")),
            ],
            failures: vec![
                Kind::OutOfWindow,
                Kind::NotFound,
                Kind::NotAccepting,
                Kind::UnknownPrekey,
                Kind::Gone,
                Kind::CardBusy,
                Kind::Full,
            ],
        },
        Operation {
            method: "get",
            path: "/v1/cards/{id}/requests",
            name: "listRequests",
            summary: "Unanswered requests that nobody leases, to the card's owner; waits for the first",
            access: Owner,
            query: vec![("after", "Cursor"), ("wait", "Wait"), ("limit", "RequestLimit")],
            body: None,
            success: vec![(200, "A page of the list; empty when the wait is over", Of(JSON, "Requests"))],
            failures: vec![Kind::NotFound, Kind::NotOwner],
        },
        Operation {
            method: "get",
            path: REQUEST,
            name: "getRequest",
            summary: "The bytes of a request, to the card's owner",
            access: Owner,
            query: vec![],
            body: None,
            success: vec![(200, "The sealed request", Of(BINARY, "Binary"))],
            failures: vec![Kind::NotFound, Kind::Gone],
        },
        Operation {
            method: "delete",
            path: REQUEST,
            name: "deleteRequest",
            summary: "Deletes a request and its answer, for whoever sent it",
            access: Holder,
            query: vec![],
            body: None,
            success: vec![(204, "It is gone", Nothing)],
            failures: vec![Kind::NotFound],
        },
    ]
}

fn leases() -> Vec<Operation> {
    vec![
        Operation {
            method: "put",
            path: LEASE,
            name: "leaseRequest",
            summary: "Takes a request for a while, or keeps it, for a worker of the card's owner",
            access: Owner,
            query: vec![],
            body: Some((JSON, "Lease", true)),
            success: vec![(200, "Leased", Of(JSON, "Leased"))],
            failures: vec![Kind::NotFound, Kind::Leased, Kind::Gone],
        },
        Operation {
            method: "delete",
            path: LEASE,
            name: "releaseRequest",
            summary: "Gives a request back; the worker is named in the query or in a body, not in both",
            access: Owner,
            query: vec![("worker", "Worker")],
            body: Some((JSON, "Release", false)),
            success: vec![(204, "Given back", Nothing)],
            failures: vec![Kind::NotFound, Kind::Leased, Kind::Gone],
        },
    ]
}

fn answers() -> Vec<Operation> {
    vec![
        Operation {
            method: "get",
            path: RESPONSE,
            name: "getResponse",
            summary: "The answer, to whoever sent the request; waits for it",
            access: Holder,
            query: vec![("wait", "Wait")],
            body: None,
            success: vec![
                (200, "The sealed answer", Of(BINARY, "Binary")),
                (204, "There is none yet", Nothing),
            ],
            failures: vec![Kind::NotFound, Kind::Gone],
        },
        Operation {
            method: "put",
            path: RESPONSE,
            name: "putResponse",
            summary: "Leaves the answer, signed by the card's owner; once",
            access: Owner,
            query: vec![],
            body: Some((BINARY, "Binary", true)),
            success: vec![(201, "Stored", Nothing), (200, "The same was stored before", Nothing)],
            failures: vec![Kind::NotFound, Kind::OtherResponse, Kind::Gone, Kind::Full],
        },
    ]
}

fn operation() -> Vec<Operation> {
    let simple = |path, name, summary, content| Operation {
        method: "get",
        path,
        name,
        summary,
        access: Anybody,
        query: vec![],
        body: None,
        success: vec![(200, summary, content)],
        failures: vec![],
    };
    vec![
        simple("/healthz", "getHealth", "The relay and its database answer", Of(JSON, "Health")),
        simple(
            "/metrics",
            "getMetrics",
            "Counts and times, for Prometheus",
            Of("application/openmetrics-text", "Text"),
        ),
        simple("/openapi.json", "getOpenApi", "This document", Of(JSON, "Anything")),
    ]
}
