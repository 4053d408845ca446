//! What is linked into a package's programs, as CycloneDX: from `cargo metadata` and Cargo.lock, which is what was built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use keyroster_testkit::{Failure, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Name;
use super::maker::Maker;
use crate::shell;
use crate::workspace::parse_json;

/// Every library of every package, as cargo resolved them.
#[derive(Debug)]
pub struct Libraries {
    packages: BTreeMap<String, Package>,
    links: BTreeMap<String, Vec<String>>,
    checksums: BTreeMap<(String, String), String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `null` for what is linked, else "dev" or "build".
    kind: Option<String>,
}

impl Libraries {
    /// Asks cargo.
    pub fn read(workspace: &crate::workspace::Workspace) -> Result<Self> {
        let mut metadata = workspace.cargo();
        metadata.args(["metadata", "--format-version=1", "--locked"]);
        metadata.args(["--filter-platform", PLATFORM]);
        let said: Metadata = parse_json("cargo metadata", &shell::output(&mut metadata)?)?;
        let lock = workspace.root.join("Cargo.lock");
        let lock = fs::read_to_string(&lock).map_err(|error| Failure::io("read", &lock, &error))?;
        let packages = said.packages.into_iter();
        let links = said.resolve.nodes.into_iter().map(|node| {
            let linked = node.deps.into_iter().filter(Dependency::is_linked);
            (node.id, linked.map(|dependency| dependency.pkg).collect())
        });
        Ok(Self {
            packages: packages
                .map(|package| (package.id.clone(), package))
                .collect(),
            links: links.collect(),
            checksums: checksums(&lock),
        })
    }

    /// The bill of materials of one package.
    pub fn of(&self, maker: &Maker<'_>, name: Name) -> Result<String> {
        let reached = self.reached(roots(name));
        let components: Vec<Value> = reached
            .iter()
            .filter_map(|id| self.packages.get(*id))
            .map(|package| self.component(package))
            .collect();
        let dependencies: Vec<Value> = reached
            .iter()
            .map(|id| {
                let on: BTreeSet<String> = self
                    .linked(id)
                    .filter_map(|id| self.reference(id))
                    .collect();
                json!({"ref": self.reference(id), "dependsOn": on})
            })
            .collect();
        let document = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {
                "timestamp": maker.facts.iso_date()?,
                "component": {
                    "type": "application",
                    "name": name.as_str(),
                    "version": maker.facts.version,
                    "licenses": [{"expression": maker.facts.licence}],
                },
            },
            "components": components,
            "dependencies": dependencies,
        });
        serde_json::to_string_pretty(&document)
            .map(|text| text + "\n")
            .map_err(|error| Failure::new(format!("cannot write the bill of materials: {error}")))
    }

    fn reached(&self, roots: &[&str]) -> BTreeSet<&str> {
        let mut waiting: Vec<&str> = self
            .packages
            .values()
            .filter(|package| package.source.is_none() && roots.contains(&package.name.as_str()))
            .map(|package| package.id.as_str())
            .collect();
        let mut reached = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if reached.insert(id) {
                waiting.extend(self.linked(id));
            }
        }
        reached
    }

    fn linked(&self, id: &str) -> impl Iterator<Item = &str> {
        self.links.get(id).into_iter().flatten().map(String::as_str)
    }

    fn reference(&self, id: &str) -> Option<String> {
        let package = self.packages.get(id)?;
        Some(format!("pkg:cargo/{}@{}", package.name, package.version))
    }

    fn component(&self, package: &Package) -> Value {
        let url = format!("pkg:cargo/{}@{}", package.name, package.version);
        let key = (package.name.clone(), package.version.clone());
        let licences = package
            .license
            .iter()
            .map(|licence| json!({"expression": licence.replace('/', " OR ")}));
        let hashes = self
            .checksums
            .get(&key)
            .into_iter()
            .map(|checksum| json!({"alg": "SHA-256", "content": checksum}));
        json!({
            "type": "library",
            "bom-ref": url,
            "purl": url,
            "name": package.name,
            "version": package.version,
            "licenses": licences.collect::<Vec<_>>(),
            "hashes": hashes.collect::<Vec<_>>(),
        })
    }
}

impl Dependency {
    fn is_linked(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }
}

fn roots(name: Name) -> &'static [&'static str] {
    match name {
        Name::Host => &["keyroster-agent", "keyroster-lookup", "keyroster-sessions"],
        Name::Server => &["keyroster-server"],
        Name::Cli => &["keyroster-cli"],
    }
}

/// Name and version to SHA-256, as Cargo.lock has them: three lines of each package, always in this order.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_matches(['"', ' ', '=']).to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    blocks
        .filter_map(|block| {
            let key = (value(block, "name")?, value(block, "version")?);
            Some((key, value(block, "checksum")?))
        })
        .collect()
}

const PLATFORM: &str = "x86_64-unknown-linux-gnu";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_read_where_there_are_some() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"00ff\"\n\n\
                    [[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n";
        let read = checksums(lock);
        let key = ("a".to_owned(), "1.0.0".to_owned());
        assert_eq!(read.get(&key).map(String::as_str), Some("00ff"));
        assert_eq!(read.len(), 1);
    }
}
