//! `/openapi.json`.

use crate::limits::Limits;

pub(crate) fn document(_limits: &Limits) -> utoipa::openapi::OpenApi {
    utoipa::openapi::OpenApi::default()
}
