//! The page that people open: what the web crate has, and the module that verifies where one was given.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tacit_web::page::{FILES, File, INDEX, VERIFIER, VERIFIER_TYPE};

use crate::call::hex_id;
use crate::problem::{Kind, Problem};
use crate::state::Relay;

fn file(file: &File) -> Response {
    ([(CONTENT_TYPE, file.content_type), (CACHE_CONTROL, "no-cache")], file.body).into_response()
}

/// The routes of the page.
pub(crate) fn routes() -> Router<Relay> {
    let mut router =
        Router::new().route(INDEX.path, get(async || file(&INDEX))).route("/cards/{id}", get(card_page));
    for asset in FILES {
        router = router.route(asset.path, get(move || async move { file(&asset) }));
    }
    router.route(VERIFIER, get(verifier))
}

/// The same page for every card; whether there is such a card is for its script to ask.
async fn card_page(request: Request<Body>) -> Result<Response, Problem> {
    let nothing =
        || Problem::new(Kind::NotFound, "a card's page is named by 64 lower-case hexadecimal digits");
    hex_id::<32>(request.uri().path().strip_prefix("/cards/").unwrap_or("")).ok_or_else(nothing)?;
    Ok(file(&INDEX))
}

async fn verifier(State(relay): State<Relay>) -> Result<Response, Problem> {
    let none = || Problem::new(Kind::NotFound, "this relay was started without the module that verifies");
    let module = relay.0.options.verifier.clone().ok_or_else(none)?;
    Ok(([(CONTENT_TYPE, VERIFIER_TYPE), (CACHE_CONTROL, "no-cache")], module).into_response())
}
