//! Poseidon over the scalar field of BN254, and the digests that Tacit's commitments are made of.
//!
//! Three layers, each usable alone:
//!
//! * [`mod@parameters`] and [`permutation`]: the permutation of Grassi, Khovratovich, Rechberger, Roy and Schofnegger,
//!   *Poseidon: A New Hash Function for Zero-Knowledge Proof Systems* (USENIX Security 2021), S-box `x^5`, with the
//!   parameters of circomlib for widths 2 to 17. [`hash()`] is circomlib's `Poseidon(n)`.
//! * [`vector`]: how integers of a declared width are packed into field elements, and the tree over them.
//! * [`digest()`] and [`model_id`]: salted, domain-separated identities, as [`Digest`] values with one encoding.
//!
//! # The digest of a vector
//!
//! A digest is over one or more [`Part`]s, each a run of integers of exactly `w` bits, two's complement range.
//!
//! ```text
//! u_i        = v_i + 2^(w-1)                                  offset binary, 0 <= u_i < 2^w
//! element    = sum_i u_i 2^(w i)                              floor(248 / w) integers each, little-endian
//! leaves     = for each part: count 2^8 + w, then its elements (the last one partly filled)
//! node       = H8(eight children)                             levels until one node is left, at least one level
//! digest     = H8(tag, meta, salt_0, salt_1, root, 0, 0, 0)
//! tag        = ASCII such as "tacit/weights/1", read as a little-endian integer
//! meta       = (number of leaves) 2^32 + (number of parts)
//! ```
//!
//! `H8` is circomlib's Poseidon over eight inputs (width 9). The last group of a level is filled with zeros; `meta`
//! fixes the number of leaves, and the descriptors the lengths and widths within, so that no two lists of parts share
//! their leaves *and* `meta`. Digests bind only values that are within their widths: a circuit that opens one must
//! range-check every packed integer, since `(u_0 + 2^w, u_1 - 1)` packs to the same element as `(u_0, u_1)`.
//! [`leaves`] refuses such values.
//!
//! Hidden values are salted with 256 random bits ([`Salt`]); public ones take [`Salt::PUBLIC`], which is zero.
//!
//! # Timing
//!
//! Field arithmetic is that of `halo2curves`, which is not written to be constant-time against a local observer.

mod digest;
mod encoding;
pub mod parameters;
pub mod permutation;
mod salt;
pub mod vector;

pub use digest::{Domain, digest, final_inputs, model_id, points_digest};
pub use encoding::{DecodeError, Digest, hash_bytes_to_lanes};
pub use halo2curves::bn256::Fr;
pub use parameters::{Parameters, parameters};
pub use permutation::{Permutation, hash, hash8, permute, permute_reference};
pub use salt::Salt;
pub use vector::{ARITY, DigestError, Part, PartShape, TreeShape, leaves, levels, per_element, root};
