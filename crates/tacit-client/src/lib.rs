//! Patient and provider at a relay: the HTTP client, the provider's worker, the patient's steps.
