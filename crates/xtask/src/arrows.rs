//! Which crate may depend on which: docs/architecture.md as a table that fails the build.
//!
//! Arrows never point up. Only what is linked into a program counts; a test may use anything. cargo-deny bans single
//! crates, but has no notion of "this one may use that one only", hence code of our own over `cargo metadata`.

use std::collections::BTreeMap;

use keyroster_testkit::{Failure, Result};
use serde::Deserialize;

use crate::shell;
use crate::workspace::{Workspace, parse_json};

/// Fails naming every arrow that is not in the table.
pub fn check(workspace: &Workspace) -> Result {
    let said =
        shell::output(
            workspace
                .cargo()
                .args(["metadata", "--format-version=1", "--locked"]),
        )?;
    let wrong = parse_json::<Metadata>("cargo metadata", &said)?.wrong_arrows();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

/// One crate of ours, what of ours it may use, and what of others: `None` is whatever it needs.
struct Rule {
    name: &'static str,
    ours: &'static [&'static str],
    others: Option<&'static [&'static str]>,
}

/// The fewer a crate can use, the less there is to trust in it: lookup runs before anybody has proved anything, and what ends
/// sessions runs as root.
const RULES: [Rule; 14] = [
    Rule {
        name: "grammar",
        ours: &[],
        others: Some(&[]),
    },
    Rule {
        name: "wire",
        ours: &[],
        others: Some(&[]),
    },
    Rule {
        name: "lookup",
        ours: &["wire", "grammar"],
        others: Some(&["libc"]),
    },
    Rule {
        name: "sessions",
        ours: &["wire", "keys"],
        others: Some(&["rustix", "thiserror"]),
    },
    Rule {
        name: "sshd",
        ours: &["grammar"],
        others: Some(&["glob", "rustix", "thiserror"]),
    },
    Rule {
        name: "keys",
        ours: &["grammar"],
        others: Some(&["ssh-key", "thiserror"]),
    },
    Rule {
        name: "roster",
        ours: &["keys"],
        others: Some(&["thiserror"]),
    },
    Rule {
        name: "api",
        ours: &["keys", "roster"],
        others: None,
    },
    Rule {
        name: "edge",
        ours: &[],
        others: None,
    },
    Rule {
        name: "store",
        ours: &["roster", "keys"],
        others: None,
    },
    Rule {
        name: "server",
        ours: &["store", "api", "roster", "keys", "edge"],
        others: None,
    },
    Rule {
        name: "agent",
        ours: &["wire", "api", "keys", "edge", "roster", "sshd"],
        others: None,
    },
    Rule {
        name: "manual",
        ours: &["cli", "server", "agent"],
        others: None,
    },
    Rule {
        name: "cli",
        ours: &["api", "keys", "edge"],
        others: None,
    },
];

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `null` for an ordinary one, else "dev" or "build".
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    features: Vec<String>,
}

impl Metadata {
    fn wrong_arrows(&self) -> Vec<String> {
        let rules: BTreeMap<&str, &Rule> = RULES.iter().map(|rule| (rule.name, rule)).collect();
        let mut wrong = self.wrong_providers();
        for package in self
            .packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
        {
            let Some(name) = package.name.strip_prefix(PREFIX) else {
                continue;
            };
            if let Some(rule) = rules.get(name) {
                wrong.extend(package.wrong_arrows(rule));
            }
        }
        wrong
    }

    /// rustls with a second provider compiles, and then panics or slows every start, by feature unification alone.
    fn wrong_providers(&self) -> Vec<String> {
        let rustls: Vec<&str> = self
            .packages
            .iter()
            .filter(|package| package.name == "rustls")
            .map(|package| package.id.as_str())
            .collect();
        let nodes = self
            .resolve
            .nodes
            .iter()
            .filter(|node| rustls.contains(&node.id.as_str()));
        nodes
            .flat_map(|node| &node.features)
            .filter(|feature| feature.starts_with("aws_lc_rs") || feature.starts_with("aws-lc-rs"))
            .map(|feature| format!("rustls has the feature {feature}; ring is the only provider"))
            .collect()
    }
}

impl Package {
    fn wrong_arrows(&self, rule: &Rule) -> Vec<String> {
        let linked = self
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.as_deref() != Some("dev"));
        linked
            .filter(|dependency| !rule.allows(&dependency.name))
            .map(|dependency| format!("{} may not depend on {}", self.name, dependency.name))
            .collect()
    }
}

impl Rule {
    fn allows(&self, dependency: &str) -> bool {
        match dependency.strip_prefix(PREFIX) {
            Some(ours) => self.ours.contains(&ours),
            None => self
                .others
                .is_none_or(|others| others.contains(&dependency)),
        }
    }
}

const PREFIX: &str = "keyroster-";

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(package: &str, dependency: &str, kind: &str) -> Vec<String> {
        let text = format!(
            r#"{{"packages": [{{"id": "a", "name": "{package}", "dependencies": [{{"name": "{dependency}", "kind": {kind}}}]}},
                {{"id": "r", "name": "rustls", "dependencies": []}}],
               "workspace_members": ["a"], "resolve": {{"nodes": [{{"id": "r", "features": ["ring", "std"]}}]}}}}"#
        );
        parse_json::<Metadata>("a test", &text)
            .unwrap()
            .wrong_arrows()
    }

    #[test]
    fn an_arrow_that_points_up_is_named() {
        assert_eq!(
            wrong("keyroster-roster", "keyroster-store", "null"),
            ["keyroster-roster may not depend on keyroster-store"]
        );
    }

    #[test]
    fn lookup_may_use_nothing_of_others_but_libc() {
        assert_eq!(wrong("keyroster-lookup", "libc", "null"), [""; 0]);
        assert_eq!(
            wrong("keyroster-lookup", "serde", "null"),
            ["keyroster-lookup may not depend on serde"]
        );
        assert_eq!(
            wrong("keyroster-lookup", "cc", "\"build\""),
            ["keyroster-lookup may not depend on cc"]
        );
    }

    #[test]
    fn what_only_tests_use_is_free() {
        assert_eq!(wrong("keyroster-lookup", "proptest", "\"dev\""), [""; 0]);
    }

    #[test]
    fn a_second_crypto_provider_is_seen_in_the_features_of_rustls() {
        let text = r#"{"packages": [{"id": "r", "name": "rustls", "dependencies": []}], "workspace_members": [],
            "resolve": {"nodes": [{"id": "r", "features": ["ring", "aws_lc_rs"]}]}}"#;
        assert_eq!(
            parse_json::<Metadata>("a test", text)
                .unwrap()
                .wrong_arrows()
                .len(),
            1
        );
    }
}
