//! The relay: an axum application that stores cards and sealed messages, and can read neither.
