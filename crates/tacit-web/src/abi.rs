//! What JavaScript calls: room for a call's bytes, then the call. The only unsafe code of the project.
//!
//! An instance of the module serves one call and is dropped with its memory, so nothing is ever freed here, no record
//! stays behind, and a call that traps leaves nothing broken.

#![allow(unsafe_code)]

use tacit_core::Progress;

use crate::call::answer_bytes;

#[link(wasm_import_module = "tacit")]
unsafe extern "C" {
    /// Hears the UTF-8 text of `length` bytes at `start`: what is at work.
    fn stage(start: *const u8, length: usize);
}

/// Tells the page what is at work.
struct Page;

impl Progress for Page {
    fn stage(&self, name: &str) {
        // SAFETY: `name` is `name.len()` bytes of this module's memory while the call lasts, and the page only reads them.
        unsafe { stage(name.as_ptr(), name.len()) }
    }
}

/// Room for `length` bytes, zeroed.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn tacit_room(length: usize) -> *mut u8 {
    vec![0u8; length].leak().as_mut_ptr()
}

/// Answers the call of `length` bytes at `start`: where the answer is, which is the number of its bytes (four,
/// little-endian) and the bytes themselves.
///
/// # Safety
/// `start` came from [`tacit_room`] for this very `length`, and is used for one call.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn tacit_call(start: *const u8, length: usize) -> *const u8 {
    // SAFETY: the room was leaked with this length and is initialised; nothing writes to it once the call has begun.
    let call = unsafe { std::slice::from_raw_parts(start, length) };
    let answer = answer_bytes(call, &Page);
    // On this target a length is 32 bits.
    let length = (answer.len() as u32).to_le_bytes();
    [&length, answer.as_slice()].concat().leak().as_ptr()
}

/// Libraries that also prove can draw randomness; verifying never does, so there is none to draw.
fn refuse(_: &mut [u8]) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}

getrandom::register_custom_getrandom!(refuse);
