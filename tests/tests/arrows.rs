//! Dependencies between the project's crates point one way, and only the crates that may see a library see it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Crates of the project by name, with every normal and build dependency of each.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let names = package["dependencies"].as_array().expect("dependencies").iter();
            let names =
                names.filter(|d| d["kind"] != "dev").map(|d| d["name"].as_str().expect("a name").to_owned());
            (package["name"].as_str().expect("a name").to_owned(), names.collect())
        })
        .collect()
}

/// What each crate of the project may depend on among the others.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tacit-model", &[]),
    ("tacit-digest", &[]),
    ("tacit-claim", &["tacit-model", "tacit-digest"]),
    ("tacit-relations", &["tacit-model", "tacit-digest", "tacit-claim"]),
    ("tacit-halo2", &["tacit-model", "tacit-digest", "tacit-claim", "tacit-relations"]),
    ("tacit-sumcheck", &["tacit-model", "tacit-digest", "tacit-claim", "tacit-relations"]),
    (
        "tacit-core",
        &["tacit-model", "tacit-digest", "tacit-claim", "tacit-relations", "tacit-halo2", "tacit-sumcheck"],
    ),
    ("tacit-onnx", &["tacit-model"]),
    ("tacit-data", &["tacit-model"]),
    ("tacit-competition", &["tacit-model", "tacit-claim", "tacit-data", "tacit-core"]),
    ("tacit-exchange", &["tacit-model", "tacit-claim"]),
    ("tacit-server", &["tacit-claim", "tacit-exchange", "tacit-web"]),
    ("tacit-client", &["tacit-model", "tacit-claim", "tacit-core", "tacit-exchange"]),
    ("tacit-web", &["tacit-model", "tacit-claim", "tacit-core", "tacit-data"]),
];

#[test]
fn arrows_point_one_way() {
    let dependencies = dependencies();
    for (name, allowed) in ALLOWED {
        let own: BTreeSet<&str> =
            dependencies[*name].iter().map(String::as_str).filter(|d| d.starts_with("tacit-")).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        let extra: Vec<_> = own.difference(&allowed).collect();
        assert!(extra.is_empty(), "{name} must not depend on {extra:?}");
    }
    for (name, own) in &dependencies {
        assert!(!own.contains("tacit-cli"), "{name} must not depend on the command");
        let known =
            ALLOWED.iter().any(|(n, _)| n == name) || ["tacit-cli", "tacit-tests"].contains(&name.as_str());
        assert!(known, "{name} has no place among the arrows: say what it may depend on");
    }
}

#[test]
fn libraries_stay_where_they_belong() {
    let dependencies = dependencies();
    let only = |library: &str, crates: &[&str]| {
        for (name, own) in &dependencies {
            assert!(
                !own.contains(library) || crates.contains(&name.as_str()),
                "{name} must not see {library}"
            );
        }
    };
    only("tract-onnx", &["tacit-onnx"]);
    only("halo2-axiom", &["tacit-halo2"]);
    only("clap", &["tacit-cli", "tacit-server"]);
    only("indicatif", &["tacit-cli"]);
    only("directories", &["tacit-cli"]);
    only("tracing-subscriber", &["tacit-cli", "tacit-server"]);
    only("base64", &["tacit-claim", "tacit-competition"]);
    only("axum", &["tacit-server"]);
    only("sqlx", &["tacit-server"]);
    only("tokio", &["tacit-server", "tacit-cli"]);
    let libraries = ALLOWED.iter().map(|(name, _)| *name);
    for name in libraries.filter(|name| !["tacit-onnx", "tacit-data", "tacit-server"].contains(name)) {
        for library in ["tokio", "axum", "reqwest", "anyhow"] {
            assert!(!dependencies[name].contains(library), "{name} must not depend on {library}");
        }
    }
}
