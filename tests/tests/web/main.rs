//! The relay's page in a real browser: cards, proofs good and bad, by mouse and by keyboard, and that nothing of a proof
//! leaves the browser.
//!
//! `cargo test -p tacit-tests --features browser --test web`. Needs `chromium` and `chromedriver`, and the module that
//! `crates/tacit-web/build-module` makes. Without them the tests say that they did nothing; with
//! `TACIT_TESTS_REQUIRE_BROWSER=1` in the environment they fail instead.

#![allow(clippy::unwrap_used)]

mod browser;
mod fixture;
mod relay;

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use fantoccini::Locator;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use serde_json::json;

use browser::Browser;
use fixture::{CONTEXT, Fixture, NAME};
use relay::Relay;

/// A relay, a browser that looks at it, and the files.
struct Scene {
    relay: Relay,
    browser: Browser,
    files: &'static Fixture,
}

impl Scene {
    /// Chooses files on the relay's first page, checks, and returns the verdict.
    async fn verdict(&self, names: &[&str]) -> (String, String) {
        self.browser.open(&self.relay.url, "#files").await;
        let paths: Vec<_> = names.iter().map(|name| self.files.path(name)).collect();
        let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
        self.browser.choose(&paths).await;
        self.browser.check().await
    }

    /// No proof, record or test set went anywhere: what the relay was asked, and what the browser sent to anybody.
    async fn nothing_left(&self) {
        for asked in self.relay.asked() {
            assert_eq!((asked.method.as_str(), asked.body.len()), ("GET", 0), "{asked:?}");
            assert!(asked.path.len() < 100, "{asked:?}");
        }
        let own = [self.relay.url.as_str(), "data:image/svg+xml"];
        for request in self.browser.requests().await {
            let url = request["url"].as_str().unwrap();
            assert!(own.iter().any(|o| url.starts_with(o)), "{request}");
            assert!(request["postData"].is_null() && request["method"] == "GET", "{request}");
            let proof = self.files.bytes("good.proof");
            let part = &proof[proof.len() / 2..][..12];
            let text = request.to_string();
            let forms = [hex::encode(part), base64::engine::general_purpose::STANDARD.encode(part)];
            assert!(forms.iter().all(|form| !text.contains(form)), "{request}");
        }
    }
}

/// Runs a test in a scene, or says why not. The page may complain of nothing but what `expected` says.
fn scene(with_verifier: bool, test: impl AsyncFnOnce(&Scene), expected: &[&str]) {
    let found = |program: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|d| d.join(program).is_file())
    };
    let module = fixture::module();
    let mut lacking = ["chromedriver", "chromium"].iter().filter(|p| !found(p)).copied().collect::<Vec<_>>();
    if module.is_none() {
        lacking.push("the module that crates/tacit-web/build-module makes");
    }
    if !lacking.is_empty() {
        assert_ne!(
            std::env::var("TACIT_TESTS_REQUIRE_BROWSER").as_deref(),
            Ok("1"),
            "missing: {}",
            lacking.join(", ")
        );
        // Past the harness, which keeps what tests print to itself.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED, the page was not tested in a browser: missing {}",
            lacking.join(", ")
        );
        return;
    }
    let files = Fixture::get();
    let module = with_verifier.then(|| std::fs::read(module.unwrap()).unwrap());
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let relay = Relay::start(vec![files.card.clone(), files.other.clone()], module).await;
        let scene = Scene { relay, browser: Browser::start().await, files };
        test(&scene).await;
        let complaints = scene.browser.complaints().await;
        let surprising: Vec<_> =
            complaints.iter().filter(|c| !expected.iter().any(|e| c.contains(e))).collect();
        assert!(surprising.is_empty(), "{surprising:?}");
        scene.nothing_left().await;
        scene.browser.close().await;
    });
}

#[test]
fn a_good_proof_holds() {
    scene(
        true,
        async |s| {
            // Everything from the reader's own files: the relay hears of no card.
            let (class, text) = s.verdict(&["good.proof", "card.json"]).await;
            assert_eq!(class, "holds", "{text}");
            assert_eq!(s.relay.asked().iter().filter(|a| a.path.starts_with("/v1/cards/")).count(), 0);
            let id = s.files.card.card.id().to_string();
            let owner = s.files.card.card.owner().fingerprint().to_string();
            for wanted in [
                "✓ The claim holds",
                &s.files.answer,
                &id,
                &owner,
                CONTEXT,
                NAME,
                "weights",
                "attested by: nobody",
                "ms, in this browser",
                "probability",
            ] {
                assert!(text.contains(wanted), "{wanted}: {text}");
            }
            println!("{}", text.lines().find(|line| line.ends_with("in this browser")).unwrap());
            assert_eq!(s.browser.eval("return document.activeElement.id").await, "verdict-title");
            for (width, dark) in [(1200, false), (1200, true), (400, false), (400, true)] {
                assert!(s.browser.picture("holds", width, dark).await <= u64::from(width));
            }

            // From the relay, which is said before.
            s.browser.open(&s.relay.url, "#files").await;
            s.browser.choose(&[&s.files.path("good.proof")]).await;
            assert!(s.browser.text("#needs").await.contains("will be fetched from this relay"));
            assert_eq!(s.relay.count(&format!("/v1/cards/{id}")), 0);
            let (class, text) = s.browser.check().await;
            assert_eq!(
                (class.as_str(), text.contains("this relay; it has the id")),
                ("holds", true),
                "{text}"
            );
            assert_eq!(s.relay.count(&format!("/v1/cards/{id}")), 1);
        },
        &[],
    );
}

#[test]
fn bad_proofs_do_not_hold() {
    scene(
        true,
        async |s| {
            for (names, verdict, wanted) in [
                (&["bad.proof", "card.json"][..], "does_not_hold", "does not hold"),
                (&["cut.proof", "card.json"], "does_not_hold", "cut short"),
                (&["good.proof", "other.json"], "does_not_hold", "not about card"),
                (&["halo2.proof", "card.json"], "unusable", "tacit verify halo2.proof --card card.json"),
                (&["garbage.bin"], "unusable", "no proof"),
                (&["garbage.bin", "card.json"], "unusable", "no proof"),
            ] {
                let (class, text) = s.verdict(names).await;
                assert_eq!(class, verdict, "{names:?}: {text}");
                assert!(text.contains(wanted), "{names:?}: {text}");
                assert!(!text.contains(&format!("class {}", s.files.answer)), "{text}");
            }
            s.verdict(&["bad.proof", "card.json"]).await;
            for (width, dark) in [(1200, false), (400, true)] {
                assert!(s.browser.picture("does-not-hold", width, dark).await <= u64::from(width));
            }
        },
        &[],
    );
}

#[test]
fn expectations_are_kept() {
    scene(
        true,
        async |s| {
            s.verdict(&["good.proof", "card.json"]).await;
            let id = s.files.card.card.id().to_string();
            let owner = s.files.card.card.owner().fingerprint().to_string();
            let other = s.files.other.card.owner().fingerprint().to_string();
            s.browser.client.find(Locator::Css("#expected summary")).await.unwrap().click().await.unwrap();
            for (field, value, wanted) in [
                ("owner", other.as_str(), "refused"),
                ("owner", "tacit1nonsense", "unusable"),
                ("owner", &owner, "holds"),
                ("card", &id, "holds"),
                ("context", "another context", "does_not_hold"),
                ("context", CONTEXT, "holds"),
                ("record", "00", "does_not_hold"),
            ] {
                let input = s.browser.client.find(Locator::Id(&format!("expect-{field}"))).await.unwrap();
                input.clear().await.unwrap();
                input.send_keys(value).await.unwrap();
                s.browser.eval("document.getElementById('verdict').hidden = true").await;
                let (class, text) = s.browser.check().await;
                assert_eq!(class, wanted, "{field} {value}: {text}");
            }
        },
        &[],
    );
}

#[test]
fn what_else_a_proof_needs_is_said() {
    scene(
        true,
        async |s| {
            s.browser.open(&s.relay.url, "#files").await;
            s.browser.choose(&[&s.files.path("accuracy.proof"), &s.files.path("card.json")]).await;
            assert!(s.browser.text("#needs").await.contains("test set"));
            let (class, text) = s.browser.check().await;
            assert_eq!((class.as_str(), text.contains("drop the test set")), ("unusable", true), "{text}");
            s.browser.choose(&[&s.files.path("test.csv")]).await;
            assert_eq!(s.browser.text("#chosen-list").await.matches("Remove").count(), 3);
            let (class, text) = s.browser.check().await;
            assert_eq!(class, "holds", "{text}");
            assert!(
                text.contains("at least")
                    && text.contains("test set seen")
                    && text.contains("every prediction"),
                "{text}"
            );

            // A disclosure needs nothing.
            let (class, text) = s.verdict(&["shared.proof"]).await;
            assert_eq!((class.as_str(), text.contains(&s.files.answer)), ("holds", true), "{text}");
            assert!(s.relay.asked().iter().all(|a| !a.path.starts_with("/v1/cards/")));

            let (class, text) = s.verdict(&["hidden.proof", "card.json"]).await;
            assert_eq!((class.as_str(), text.contains(&s.files.answer)), ("holds", false), "{text}");
            s.browser.choose(&[&s.files.path("hidden.answer.secret")]).await;
            assert!(s.browser.text("#chosen-list").await.contains("A secret of yours"));
            let (class, text) = s.browser.check().await;
            assert_eq!((class.as_str(), text.contains(&s.files.answer)), ("holds", true), "{text}");
        },
        &[],
    );
}

#[test]
fn the_keyboard_is_enough() {
    scene(
        true,
        async |s| {
            s.browser.open(&s.relay.url, "#files").await;
            s.browser.choose(&[&s.files.path("good.proof"), &s.files.path("card.json")]).await;
            let press = async |key: Key| {
                let value = char::from(key);
                let keys = KeyActions::new("keyboard".into())
                    .then(KeyAction::Down { value })
                    .then(KeyAction::Up { value });
                s.browser.client.perform_actions(keys).await.unwrap();
            };
            let mut reached = Vec::new();
            s.browser.eval("document.activeElement.blur(); getSelection().removeAllRanges()").await;
            press(Key::Tab).await;
            for _ in 0..20 {
                let focus = s.browser.eval(
                "const e = document.activeElement; const style = getComputedStyle(e); \
                 return [e.id || e.getAttribute('aria-label') || e.textContent.trim(), style.outlineStyle !== 'none']").await;
                assert_eq!(focus[1], true, "the focus shows on {focus}");
                let name = focus[0].as_str().unwrap().to_owned();
                let there = name == "run";
                reached.push(name);
                if there {
                    break;
                }
                press(Key::Tab).await;
            }
            for wanted in
                ["Skip to the content", "files", "Remove good.proof", "What you expect (optional)", "run"]
            {
                assert!(reached.iter().any(|name| name == wanted), "{wanted}: {reached:?}");
            }
            press(Key::Enter).await;
            assert_eq!(s.browser.verdict().await.0, "holds");
            let live =
                s.browser.eval("return document.getElementById('verdict').getAttribute('aria-live')").await;
            assert_eq!(live, "polite");
        },
        &[],
    );
}

#[test]
fn files_can_be_dropped() {
    scene(
        true,
        async |s| {
            s.browser.open(&s.relay.url, "#files").await;
            let files = ["good.proof", "card.json"].map(|n| s.files.path(n).display().to_string());
            for kind in ["dragEnter", "dragOver", "drop"] {
                let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
                s.browser
                    .devtools(
                        "Input.dispatchDragEvent",
                        json!({ "type": kind, "x": 400, "y": 330, "data": data }),
                    )
                    .await;
            }
            s.browser.until("return !document.getElementById('run').disabled").await;
            assert_eq!(s.browser.check().await.0, "holds");
        },
        &[],
    );
}

#[test]
fn cards_are_listed_and_shown() {
    scene(
        true,
        async |s| {
            s.browser.open(&s.relay.url, "#cards-list a").await;
            assert!(s.browser.text("#cards-list").await.contains(NAME), "a name is a text");
            for (width, dark) in [(1200, false), (1200, true), (400, false), (400, true)] {
                assert!(s.browser.picture("list", width, dark).await <= u64::from(width));
            }
            s.browser.client.find(Locator::Css("#cards-list a")).await.unwrap().click().await.unwrap();
            s.browser.shown("#card h2").await;
            let card = &s.files.card.card;
            let (id, owner) = (card.id().to_string(), card.owner().fingerprint().to_string());
            let text = s.browser.text("#card").await;
            let send = format!("tacit patient send --relay {} --card {id} --pin {owner}", s.relay.url);
            for wanted in [
                NAME,
                &id,
                &owner,
                "What stays hidden",
                "signature holds",
                "malignant, benign",
                "30 features",
                "mean radius",
                &send,
            ] {
                assert!(text.contains(wanted), "{wanted}: {text}");
            }
            for (width, dark) in [(1200, false), (400, true), (400, false)] {
                assert!(s.browser.picture("card", width, dark).await <= u64::from(width));
            }
            // A proof on the card's own page needs no other file, and the card is not fetched again.
            s.browser.choose(&[&s.files.path("good.proof")]).await;
            assert_eq!(s.browser.check().await.0, "holds");
            assert_eq!(s.relay.count(&format!("/v1/cards/{id}")), 1);
            assert_eq!(s.browser.eval("return document.querySelectorAll('img').length").await, 0);
        },
        &[],
    );
}

#[test]
fn a_relay_without_the_module_says_so() {
    scene(
        false,
        async |s| {
            s.browser.open(&s.relay.url, "#files").await;
            s.browser.choose(&[&s.files.path("good.proof")]).await;
            let (class, text) = s.browser.verdict().await;
            assert_eq!(class, "unusable", "{text}");
            assert!(text.contains("carries no verifier") && text.contains("tacit verify"), "{text}");
            s.browser.picture("no-verifier", 1200, false).await;
            s.browser.open(&format!("{}/cards/{}", s.relay.url, s.files.card.card.id()), "#card h2").await;
            assert!(s.browser.text("#card").await.contains("nothing here was checked"));
            s.browser.open(&format!("{}/cards/{}", s.relay.url, "0".repeat(64)), "#card .alert").await;
            assert!(s.browser.text("#card").await.contains("does not have"));
        },
        &["404"],
    );
}
