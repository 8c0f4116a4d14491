//! What commands that talk to a relay share.

use tacit_client::{ClientOptions, PlainHttp, RelayAddress, RelayClient};

use crate::args::exchange::{Link, Relay};
use crate::failure::Failure;

/// A client of the relay that the arguments name.
pub(crate) fn client(args: &Relay) -> Result<RelayClient, Failure> {
    at(&args.relay, &args.link)
}

/// A client of the relay at an address.
pub(crate) fn at(address: &str, link: &Link) -> Result<RelayClient, Failure> {
    let plain = if link.plain_http { PlainHttp::Anywhere } else { PlainHttp::LoopbackOnly };
    let address = RelayAddress::parse(address, plain)?;
    let authorities = match &link.ca {
        Some(path) => Some(tacit_core::files::read(path, 1 << 20)?.to_vec()),
        None => None,
    };
    Ok(RelayClient::new(address, &ClientOptions { authorities, ..ClientOptions::default() })?)
}
