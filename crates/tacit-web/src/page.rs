//! The page: HTML, style and scripts, compiled in. It loads nothing from anywhere but the relay that serves it.

/// A file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Where the relay serves it.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What it holds.
    pub body: &'static str,
}

/// The page itself, served at `/` and at `/cards/{id}`: the script shows what the path names.
pub const INDEX: File =
    File { path: "/", content_type: "text/html; charset=utf-8", body: include_str!("../page/index.html") };

/// Everything that the page refers to, beside [`VERIFIER`] and the relay's own API.
pub const FILES: [File; 8] = [
    File { path: "/style.css", content_type: CSS, body: include_str!("../page/style.css") },
    File { path: "/app.js", content_type: SCRIPT, body: include_str!("../page/app.js") },
    File { path: "/cards.js", content_type: SCRIPT, body: include_str!("../page/cards.js") },
    File { path: "/check.js", content_type: SCRIPT, body: include_str!("../page/check.js") },
    File { path: "/dom.js", content_type: SCRIPT, body: include_str!("../page/dom.js") },
    File { path: "/relay.js", content_type: SCRIPT, body: include_str!("../page/relay.js") },
    File { path: "/verifier.js", content_type: SCRIPT, body: include_str!("../page/verifier.js") },
    File { path: "/worker.js", content_type: SCRIPT, body: include_str!("../page/worker.js") },
];

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Where the page looks for the module that verifies. A relay that has none answers 404, and the page says so.
pub const VERIFIER: &str = "/verifier.wasm";

/// Media type of the module.
pub const VERIFIER_TYPE: &str = "application/wasm";

/// What the page may do, sent as `Content-Security-Policy` with the page and with every file of it (a worker is held to
/// the policy that comes with its own script): run the relay's own scripts, compile WebAssembly, talk to the relay, and
/// nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        for file in FILES.iter().chain([&INDEX]) {
            for word in [
                "https://",
                "http://",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "eval(",
                "document.write",
            ] {
                assert!(!file.body.contains(word), "{} holds {word}", file.path);
            }
        }
        for attribute in [" style=", " onclick=", "<style", "javascript:"] {
            assert!(!INDEX.body.contains(attribute), "{attribute}");
        }
        assert_eq!(
            INDEX.body.matches("<script").count(),
            INDEX.body.matches("<script type=\"module\" src=").count()
        );
        let all: String = FILES.iter().chain([&INDEX]).map(|file| file.body).collect();
        for file in &FILES {
            let name = file.path.trim_start_matches('/');
            assert!(all.contains(&format!("/{name}\"")), "{} is not referred to", file.path);
        }
    }
}
