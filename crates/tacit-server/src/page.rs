//! The page that people open: what the web crate has, and the module that verifies where one was given.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tacit_web::page::{FILES, File, INDEX, VERIFIER, VERIFIER_TYPE};

use crate::problem::{Kind, Problem};
use crate::state::Relay;

fn file(file: &File) -> Response {
    ([(CONTENT_TYPE, file.content_type), (CACHE_CONTROL, "no-cache")], file.body).into_response()
}

/// The routes of the page.
pub(crate) fn routes() -> Router<Relay> {
    let index = || get(|| async { file(&INDEX) });
    let mut router = Router::new().route(INDEX.path, index()).route("/cards/{id}", index());
    for asset in FILES {
        router = router.route(asset.path, get(move || async move { file(&asset) }));
    }
    router.route(VERIFIER, get(verifier))
}

async fn verifier(State(relay): State<Relay>) -> Result<Response, Problem> {
    let none = || Problem::new(Kind::NotFound, "this relay was started without the module that verifies");
    let module = relay.0.options.verifier.clone().ok_or_else(none)?;
    Ok(([(CONTENT_TYPE, VERIFIER_TYPE), (CACHE_CONTROL, "no-cache")], module).into_response())
}
