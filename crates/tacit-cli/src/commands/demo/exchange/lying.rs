//! A relay that lies: it passes on what it is asked to another relay, and alters one thing in what comes back.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use super::Failed;
use crate::failure::Failure;

/// What is altered.
pub(super) enum Lie {
    /// A bit in the middle of an answer.
    FlipABit,
    /// Another answer.
    Answer(Vec<u8>),
    /// Another card.
    Card(Vec<u8>),
}

/// Serves until the program ends.
pub(super) struct LyingRelay {
    port: u16,
}

impl LyingRelay {
    /// Listens on a port of 127.0.0.1 in front of the relay at `url`.
    pub(super) fn start(url: &str, lie: Lie) -> Result<Self, Failure> {
        let upstream = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failed::from)?;
        let port = listener.local_addr().map_err(Failed::from)?.port();
        let lie = Arc::new(lie);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, lie) = (upstream.clone(), Arc::clone(&lie));
                // Whoever asks sees a broken connection, as they must expect of any relay.
                std::thread::spawn(move || pass_on(stream, &upstream, &lie));
            }
        });
        Ok(Self { port })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// One request and its answer, after which both connections are closed.
fn pass_on(mut client: TcpStream, upstream: &str, lie: &Lie) -> std::io::Result<()> {
    let (head, body) = read_message(&mut client, false)?;
    let first = head.lines().next().unwrap_or_default().to_owned();
    let kept = head.lines().filter(|l| !l.to_ascii_lowercase().starts_with("connection:") && !l.is_empty());
    let head = format!("{}\r\nconnection: close\r\n\r\n", kept.collect::<Vec<_>>().join("\r\n"));
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    let (mut head, mut body) = read_message(&mut server, true)?;
    match lie {
        Lie::FlipABit if is_answer(&first, &head) => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        Lie::Answer(other) if is_answer(&first, &head) => body.clone_from(other),
        Lie::Card(card) if first.starts_with("GET /v1/cards/") && first.split('/').count() == 5 => {
            "HTTP/1.1 200 OK\r\ncontent-type: application/json".clone_into(&mut head);
            body.clone_from(card);
        }
        _ => {}
    }
    let plain = |l: &&str| {
        let l = l.to_ascii_lowercase();
        !(l.is_empty()
            || ["connection:", "content-length:", "transfer-encoding:"].iter().any(|n| l.starts_with(n)))
    };
    let lines: Vec<&str> = head.lines().filter(plain).collect();
    write!(client, "{}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", lines.join("\r\n"), body.len())?;
    client.write_all(&body)
}

fn is_answer(request: &str, response: &str) -> bool {
    request.starts_with("GET ") && request.contains("/response") && response.starts_with("HTTP/1.1 200")
}

/// The head, and as much of a body as it announces, or all that comes.
fn read_message(stream: &mut TcpStream, to_end: bool) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    let end = loop {
        if let Some(at) = super::find(&bytes, b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    let announced = head.lines().find_map(|l| {
        let (name, value) = l.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    while if to_end && announced.is_none() { true } else { body.len() < announced.unwrap_or(0) } {
        match stream.read(&mut buffer)? {
            0 => break,
            n => body.extend_from_slice(&buffer[..n]),
        }
    }
    Ok((head, body))
}
