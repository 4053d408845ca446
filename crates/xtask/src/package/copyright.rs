//! Who holds the copyright, in Debian's machine-readable form.

use std::fs;

use keyroster_testkit::{Failure, Result};

use super::maker::Maker;

/// The file `copyright` of every .deb.
pub fn debian(maker: &Maker<'_>) -> Result<String> {
    let path = maker.workspace.root.join("LICENSE-MIT");
    let mit = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    let holder = mit
        .lines()
        .find_map(|line| line.strip_prefix("Copyright (c) "))
        .ok_or_else(|| Failure::new(format!("\"{}\" names no holder", path.display())))?;
    let permission = mit
        .split_once(holder)
        .map(|(_, rest)| rest.trim())
        .unwrap_or_default();
    Ok(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: keyroster\n\
         Source: {homepage}\n\
         Comment: the libraries that are linked in, with their licences, stand in sbom.cdx.json beside this file.\n\
         \n\
         Files: *\n\
         Copyright: {holder}\n\
         License: {licence}\n\
         \n\
         License: Apache-2.0\n \
         On Debian systems the whole text is in /usr/share/common-licenses/Apache-2.0.\n\
         \n\
         License: Expat\n{permission}\n",
        homepage = maker.facts.homepage,
        licence = debian_licence(&maker.facts.licence),
        permission = indented(permission),
    ))
}

/// Debian's name for what SPDX calls MIT, and its way to say "either".
fn debian_licence(spdx: &str) -> String {
    spdx.replace("MIT", "Expat").replace(" OR ", " or ")
}

/// As a field that goes on over lines: one blank in front, a dot for an empty line.
pub fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| match line.trim() {
        "" => " .".to_owned(),
        line => format!(" {line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_becomes_a_dot_so_that_the_field_goes_on() {
        assert_eq!(indented("a\n\nb"), " a\n .\n b");
    }
}
