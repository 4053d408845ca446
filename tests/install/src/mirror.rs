//! Where roots are made from: the archive that this machine's own apt asks.

use std::fs;
use std::path::{Path, PathBuf};

/// The archive of Debian's main packages, from apt's sources; Debian's public one where those name none.
pub fn mirror() -> String {
    let texts = sources(Path::new("/etc/apt"))
        .into_iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    let named = texts.flat_map(|text| archives(&text)).next();
    named.unwrap_or_else(|| PUBLIC.to_owned())
}

fn sources(apt: &Path) -> Vec<PathBuf> {
    let mut paths = vec![apt.join("sources.list")];
    if let Ok(entries) = fs::read_dir(apt.join("sources.list.d")) {
        let mut more: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        more.sort();
        paths.extend(more);
    }
    paths
}

/// The Debian archives in one file, of either format (sources.list(5)).
fn archives(text: &str) -> Vec<String> {
    let stanzas = text.split("\n\n").filter_map(of_stanza);
    text.lines().filter_map(of_line).chain(stanzas).collect()
}

/// `deb [options] URI suite component…`.
fn of_line(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace();
    let uri = words.next()?;
    let suite = words.next()?;
    is_archive(uri, &[suite], &words.collect::<Vec<_>>()).then(|| uri.to_owned())
}

/// The same in deb822's fields.
fn of_stanza(stanza: &str) -> Option<String> {
    let field = |name: &str| {
        let values = stanza
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values
            .flat_map(str::split_whitespace)
            .collect::<Vec<&str>>()
    };
    let (suites, components) = (field("Suites"), field("Components"));
    let mut uris = field("URIs").into_iter();
    uris.find(|uri| is_archive(uri, &suites, &components))
        .map(ToOwned::to_owned)
}

/// Other vendors' archives are called `debian` as well, but none of theirs has a component `main` with a plain suite beside it.
fn is_archive(uri: &str, suites: &[&str], components: &[&str]) -> bool {
    let over_http = uri.starts_with("http://") || uri.starts_with("https://");
    over_http
        && uri.trim_end_matches('/').ends_with("/debian")
        && suites.iter().any(|suite| !suite.contains('-'))
        && components.contains(&"main")
}

const PUBLIC: &str = "http://deb.debian.org/debian";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_of_apts_sources_name_the_archive() {
        let line =
            "# ours\ndeb [signed-by=/k.gpg] https://mirror.example.org/debian/ bookworm main\n";
        assert_eq!(archives(line), ["https://mirror.example.org/debian/"]);
        let stanza = "Types: deb\nURIs: http://mirror.example.org/debian\n\
                      Suites: bookworm bookworm-updates\nComponents: main\n";
        assert_eq!(archives(stanza), ["http://mirror.example.org/debian"]);
    }

    #[test]
    fn security_updates_and_other_vendors_are_no_archive_to_make_a_root_from() {
        let security =
            "URIs: http://a.example/debian-security\nSuites: bookworm-security\nComponents: main";
        let vendor = "deb https://download.example.com/linux/debian bookworm stable";
        let local = "deb file:/srv/debian bookworm main";
        for text in [security, vendor, local] {
            assert_eq!(archives(text), Vec::<String>::new(), "{text}");
        }
    }
}
