//! The page that a relay serves, and the verifier that runs in it.
//!
//! * [`page`]: the page's files, as they are sent.
//! * `verifier` (feature `verifier`): which files were given, what they are, and whether the proof among them holds. Safe
//!   functions over bytes, the same code that the `tacit` command runs; they touch no file, no clock and no randomness.
//! * `call`: the same behind one function of bytes to bytes, and `abi`, on `wasm32-unknown-unknown`, the two functions
//!   that JavaScript calls.
//!
//! `build-module` makes the module of it, `tacit_verifier.wasm`. Whoever serves the page and does not verify depends on
//! this crate without its features, and then links three text files.

// Tests may unwrap; readers may not.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod page;

#[cfg(all(feature = "verifier", target_arch = "wasm32", target_os = "unknown"))]
mod abi;
#[cfg(feature = "verifier")]
pub mod call;
#[cfg(feature = "verifier")]
pub mod verifier;
