//! The boundary behind which third-party parsers may panic.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error::OnnxError;

thread_local! {
    /// Whether this thread is behind the boundary, where a panic becomes an error and its message is not printed.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs `f`; a panic inside becomes [`OnnxError::Panic`] and prints nothing.
///
/// The first call puts a filter in front of the process's panic hook. Panics elsewhere, on this thread or another,
/// still reach the hook that was there.
pub(crate) fn guarded<T>(
    stage: &'static str,
    f: impl FnOnce() -> Result<T, OnnxError>,
) -> Result<T, OnnxError> {
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                previous(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(outer);
    result.unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(OnnxError::Panic { stage, message })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let result = guarded("test", || -> Result<(), OnnxError> { panic!("no {}", 1) });
        assert_eq!(result, Err(OnnxError::Panic { stage: "test", message: "no 1".into() }));
        assert_eq!(guarded("test", || Ok(3)), Ok(3));
    }
}
