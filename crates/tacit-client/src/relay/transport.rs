//! One HTTP exchange with a relay: signed or not, tried again where that can help, bounded in time and length, never
//! redirected.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand_core::{OsRng, RngCore as _};
use tacit_claim::OwnerKey;
use tacit_exchange::{Capability, http_signature};
use ureq::http::{HeaderValue, Method, Request, Response, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use super::address::RelayAddress;
use super::error::{Problem, RelayError, shown};
use super::retry::{Attempts, Patience};

/// How a client talks to a relay.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// Certificates of authorities, in PEM, that relays are trusted by in the place of the web's.
    pub authorities: Option<Vec<u8>>,
    /// How long requests are tried again.
    pub patience: Patience,
    /// How long a request may take beyond the time that it asks the relay to wait. Default: a minute.
    pub timeout: Option<Duration>,
}

const CONNECT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest link that a large body is given time for, in bytes per second.
const SLOWEST: u64 = 32 << 10;
/// No problem document is longer.
const MAX_PROBLEM: u64 = 64 << 10;

/// What a request proves about who sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof<'a> {
    /// Nothing.
    Nobody,
    /// The signature of a card's owner.
    Owner(&'a OwnerKey),
    /// What the request's sender alone has.
    Holder(&'a Capability),
}

/// A request, to be sent once or several times.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    /// For messages: "the relay refused to …".
    pub(crate) what: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// Type and bytes.
    pub(crate) body: Option<(&'static str, &'a [u8])>,
    pub(crate) proof: Proof<'a>,
    /// Longest answer.
    pub(crate) max: u64,
    /// How long the relay is asked to wait.
    pub(crate) wait: Duration,
}

impl<'a> Call<'a> {
    pub(crate) fn new(what: &'static str, method: Method, path: String, proof: Proof<'a>) -> Self {
        Self { what, method, path, query: None, body: None, proof, max: 4096, wait: Duration::ZERO }
    }
}

/// An answer that is a success.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// The connection to one relay.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    agent: Agent,
    address: RelayAddress,
    patience: Patience,
    timeout: Duration,
}

/// The time, in Unix seconds.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

impl Transport {
    pub(crate) fn new(address: RelayAddress, options: &ClientOptions) -> Result<Self, RelayError> {
        let roots = options.authorities.as_deref().map_or(Ok(RootCerts::WebPki), authorities)?;
        let tls = TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(roots).build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("tacit/", env!("CARGO_PKG_VERSION")))
            .no_delay(true);
        if address.is_loopback() {
            // A proxy has nothing to do with what stays on this machine.
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            address,
            patience: options.patience,
            timeout: options.timeout.unwrap_or(TIMEOUT),
        })
    }

    pub(crate) const fn address(&self) -> &RelayAddress {
        &self.address
    }

    /// The same with other patience.
    pub(crate) fn with_patience(&self, patience: Patience) -> Self {
        Self { patience, ..self.clone() }
    }

    /// Sends a request until it is answered, for as long as patience lasts.
    pub(crate) fn send(&self, call: &Call<'_>) -> Result<Reply, RelayError> {
        let mut attempts = Attempts::new(self.patience);
        loop {
            let error = match self.once(call) {
                Err(e) if e.is_passing() => e,
                other => return other,
            };
            let asked = match &error {
                RelayError::Refused { problem, .. } => problem.retry_after,
                _ => None,
            };
            match attempts.pause(asked) {
                Some(pause) => std::thread::sleep(pause),
                None => return Err(error),
            }
        }
    }

    fn once(&self, call: &Call<'_>) -> Result<Reply, RelayError> {
        let length = call.body.map_or(0, |(_, bytes)| bytes.len() as u64);
        let allowed = self.timeout + call.wait + Duration::from_secs(length.max(call.max) / SLOWEST);
        let request = self.request(call)?;
        let request = self.agent.configure_request(request).timeout_global(Some(allowed)).build();
        let answered = match call.body {
            Some((_, bytes)) => self.agent.run(request.map(|()| bytes)),
            None => self.agent.run(request),
        };
        let mut response = answered.map_err(|e| self.failed(call, e))?;
        let status = response.status();
        if status.is_redirection() {
            let location = field(&response, header::LOCATION).unwrap_or("nowhere");
            return Err(RelayError::Redirect { status: status.as_u16(), location: shown(location, 200) });
        }
        if !status.is_success() {
            let retry_after = field(&response, header::RETRY_AFTER)
                .and_then(|text| text.parse().ok())
                .map(Duration::from_secs);
            let body = response.body_mut().with_config().limit(MAX_PROBLEM).read_to_vec().unwrap_or_default();
            let problem = Problem::read(status.as_u16(), &body, retry_after);
            return Err(RelayError::Refused { what: call.what, problem });
        }
        let body = response.body_mut().with_config().limit(call.max).read_to_vec();
        let body = body.map_err(|e| self.failed(call, e))?;
        Ok(Reply { status: status.as_u16(), body })
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<()>, RelayError> {
        let unusable =
            |e: &dyn std::fmt::Display| RelayError::Unusable(format!("a request cannot be made: {e}"));
        let target = match &call.query {
            Some(query) => format!("{}{}?{query}", self.address, call.path),
            None => format!("{}{}", self.address, call.path),
        };
        let mut request = Request::builder().method(&call.method).uri(target);
        if let Some((kind, _)) = call.body {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        match call.proof {
            Proof::Nobody => {}
            Proof::Holder(capability) => {
                let text = Zeroizing::new(format!("Bearer {}", &*capability.to_bearer()));
                let mut value = HeaderValue::from_str(&text).map_err(|e| unusable(&e))?;
                value.set_sensitive(true);
                request = request.header(header::AUTHORIZATION, value);
            }
            Proof::Owner(key) => {
                let mut nonce = [0; 16];
                OsRng.fill_bytes(&mut nonce);
                let signed = http_signature::Signed {
                    method: call.method.as_str(),
                    authority: self.address.authority(),
                    path: &call.path,
                    query: call.query.as_deref(),
                    body: call.body.map_or(&[], |(_, bytes)| bytes),
                };
                let headers =
                    http_signature::sign(key, &signed, unix_now(), &nonce).map_err(|e| unusable(&e))?;
                for (name, value) in headers.fields() {
                    request = request.header(name, value);
                }
            }
        }
        request.body(()).map_err(|e| unusable(&e))
    }

    fn failed(&self, call: &Call<'_>, e: ureq::Error) -> RelayError {
        let relay = self.address.to_string();
        match e {
            ureq::Error::BodyExceedsLimit(max) => RelayError::TooLarge { what: call.what, max },
            ureq::Error::Tls(why) => RelayError::Tls { relay, why: why.to_owned() },
            ureq::Error::Rustls(why) => RelayError::Tls { relay, why: why.to_string() },
            // The handshake's errors come as errors of the connection.
            ureq::Error::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => {
                RelayError::Tls { relay, why: why.to_string() }
            }
            ureq::Error::Io(why) => RelayError::Unreachable { relay, why: why.to_string() },
            ureq::Error::Timeout(what) => {
                RelayError::Unreachable { relay, why: format!("no answer in time ({what})") }
            }
            other => RelayError::Unreachable { relay, why: other.to_string() },
        }
    }
}

fn field(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn authorities(pem: &[u8]) -> Result<RootCerts, RelayError> {
    let certificates: Vec<_> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(e) => {
                Some(Err(RelayError::Unusable(format!("the authorities' certificates cannot be read: {e}"))))
            }
        })
        .collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(RelayError::Unusable("the authorities' file holds no certificate in PEM".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
