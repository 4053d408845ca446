//! The commands of docs/mandatory-access.md, to be run as they stand there.

use std::path::Path;

use keyroster_testkit::{Failure, Result};

/// The first block of commands under a heading.
pub fn commands(heading: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mandatory-access.md");
    let text =
        std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    first_block(&text, heading)
        .map(ToOwned::to_owned)
        .ok_or_else(|| Failure::new(format!("no commands under \"{heading}\"")))
}

fn first_block<'a>(text: &'a str, heading: &str) -> Option<&'a str> {
    let (_, section) = text.split_once(&format!("\n{heading}\n"))?;
    let (_, block) = section.split_once("```sh\n")?;
    Some(block.split_once("```")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_taken_whole() {
        let text = "\n## AB\n```sh\na\n```\n## A\ntext\n```sh\nb\nc\n```\n";
        assert_eq!(first_block(text, "## A"), Some("b\nc\n"));
        assert_eq!(first_block(text, "## C"), None);
    }
}
