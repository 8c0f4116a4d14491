//! The address of a relay: scheme, host and port, nothing else.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

/// Where a relay answers: `https://host[:port]`, or `http://` on this machine. Without a path: requests are signed
/// over the path that the relay sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelayAddress {
    scheme: Scheme,
    authority: String,
    loopback: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Whether a relay on another machine may be spoken to without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// Only on this machine.
    #[default]
    LoopbackOnly,
    /// Anywhere: whoever stands between sees which cards are asked for, sizes, times and capabilities.
    Anywhere,
}

/// Why a text is no relay's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL with a host.
    #[error(
        "`{0}` is not the address of a relay: it must be https:// and a host, such as https://relay.example, or on this \
         machine http://127.0.0.1:7878"
    )]
    Malformed(String),
    /// More than a host and a port.
    #[error("the relay's address `{0}` has a {1}: it must be a scheme, a host and perhaps a port alone")]
    TooMuch(String, &'static str),
    /// Without TLS to another machine.
    #[error("`{0}` is on another machine and has no TLS: use https://")]
    Plain(String),
}

impl RelayAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str, plain: PlainHttp) -> Result<Self, AddressError> {
        let shown = || super::error::shown(text, 200);
        let malformed = || AddressError::Malformed(shown());
        let too_much = |what| AddressError::TooMuch(shown(), what);
        if text.contains('@') {
            // Not repeated: it may hold a password.
            return Err(AddressError::TooMuch("…@…".to_owned(), "user name or password"));
        }
        // The parser drops fragments silently.
        if text.contains('#') {
            return Err(too_much("fragment"));
        }
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            _ => return Err(malformed()),
        };
        if uri.query().is_some() {
            return Err(too_much("query"));
        }
        if !matches!(uri.path(), "" | "/") {
            return Err(too_much("path"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(malformed)?.to_ascii_lowercase();
        let named = uri.authority().is_some_and(|a| a.as_str().len() > host.len());
        if named && uri.port_u16().is_none() {
            return Err(malformed());
        }
        let authority = match uri.port_u16().filter(|port| *port != scheme.port()) {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        let loopback = is_loopback(&host);
        if scheme == Scheme::Http && !loopback && plain == PlainHttp::LoopbackOnly {
            return Err(AddressError::Plain(shown()));
        }
        Ok(Self { scheme, authority, loopback })
    }

    /// Host, and port unless it is the scheme's own: what the `host` field says and signatures cover.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether it is on this machine.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, AddressError> {
        RelayAddress::parse(text, PlainHttp::LoopbackOnly).map(|a| a.to_string())
    }

    #[test]
    fn addresses_have_one_spelling() {
        for (text, canonical) in [
            ("https://Relay.example", "https://relay.example"),
            ("https://relay.example/", "https://relay.example"),
            ("https://relay.example:443", "https://relay.example"),
            ("https://relay.example:8443/", "https://relay.example:8443"),
            ("http://127.0.0.1:7878", "http://127.0.0.1:7878"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:7878", "http://[::1]:7878"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(canonical));
            assert_eq!(parse(canonical).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn anything_more_is_refused() {
        for bad in [
            "",
            "relay.example",
            "ftp://relay.example",
            "https://",
            "https:///x",
            "https://a b",
            "https://a:99999",
        ] {
            assert!(matches!(parse(bad), Err(AddressError::Malformed(_))), "{bad}: {:?}", parse(bad));
        }
        for bad in ["https://a/b", "https://a/?q", "https://a/#f", "https://user:secret@a", "https://a//"] {
            assert!(matches!(parse(bad), Err(AddressError::TooMuch(..))), "{bad}: {:?}", parse(bad));
        }
        assert!(!parse("https://user:secret@a").unwrap_err().to_string().contains("secret"));
        for bad in ["http://relay.example", "http://10.0.0.1", "http://127.0.0.1.example"] {
            assert!(matches!(parse(bad), Err(AddressError::Plain(_))), "{bad}");
            assert!(RelayAddress::parse(bad, PlainHttp::Anywhere).is_ok());
        }
    }
}
