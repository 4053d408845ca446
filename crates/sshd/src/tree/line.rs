//! One line: a keyword and what follows it.

/// A line that sets something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The keyword in lower case, by its present name.
    pub keyword: String,
    /// What follows it, without blanks at its ends.
    pub rest: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line; none when it is blank or a comment.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.trim_matches(BLANKS);
        if rest.is_empty() || rest.starts_with('#') {
            return None;
        }
        let keyword = canonical(take_word(&mut rest)?);
        Some(Self { keyword, rest })
    }
}

/// Takes the next word off `rest`, in quotes or up to a blank or one `=`, and what separates it from the following one.
pub(crate) fn take_word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    if rest.is_empty() {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        // Without its second quote sshd takes no such word at all.
        let (word, behind) = quoted.split_once('"')?;
        *rest = behind.trim_start_matches(BLANKS);
        return Some(word);
    }
    let end = rest
        .find([' ', '\t', '\r', '\n', '='])
        .unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    let behind = behind.trim_start_matches(BLANKS);
    let behind = behind.strip_prefix('=').unwrap_or(behind);
    *rest = behind.trim_start_matches(BLANKS);
    Some(word)
}

/// The words of a value, quotes taken away; a word that begins with `#` ends it.
pub(crate) fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = value.trim_matches(BLANKS);
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, behind) = match rest.strip_prefix('"').and_then(|it| it.split_once('"')) {
            Some(quoted) => quoted,
            None => rest.split_at(rest.find(BLANKS).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = behind.trim_start_matches(BLANKS);
    }
    words
}

/// The keyword in lower case, by the name that `sshd -T` prints.
pub(crate) fn canonical(keyword: &str) -> String {
    let lower = keyword.to_ascii_lowercase();
    let present = OLD_NAMES.iter().find(|(old, _)| *old == lower);
    present.map_or(lower, |(_, new)| (*new).to_owned())
}

/// What separates words.
pub(crate) const BLANKS: [char; 5] = [' ', '\t', '\r', '\n', '\u{c}'];

/// Names that sshd still takes for others (servconf.c).
const OLD_NAMES: [(&str, &str); 7] = [
    (
        "challengeresponseauthentication",
        "kbdinteractiveauthentication",
    ),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms"),
    ("keepalive", "tcpkeepalive"),
    ("casignaturealgorithm", "casignaturealgorithms"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, &str)> {
        Line::parse(text).map(|line| (line.keyword, line.rest))
    }

    #[test]
    fn a_keyword_ends_at_a_blank_or_one_equals_sign_and_its_case_is_nothing() {
        for text in [
            "Banner /a b",
            "  BANNER=/a b\r\n",
            "banner = /a b",
            "Banner\t/a b  ",
            "\"banner\" /a b",
        ] {
            assert_eq!(parts(text), Some(("banner".to_owned(), "/a b")), "{text:?}");
        }
        assert_eq!(parts("banner ==x"), Some(("banner".to_owned(), "=x")));
    }

    #[test]
    fn comments_and_blank_lines_are_no_settings() {
        for text in ["", "   ", "# Banner /a", "\t#Banner /a"] {
            assert_eq!(parts(text), None, "{text:?}");
        }
    }

    #[test]
    fn old_names_are_the_present_ones() {
        assert_eq!(
            canonical("PubkeyAcceptedKeyTypes"),
            "pubkeyacceptedalgorithms"
        );
    }

    #[test]
    fn words_may_be_quoted_and_end_at_a_comment() {
        assert_eq!(words("a \"b c\" d # e"), ["a", "b c", "d"]);
        assert_eq!(words("none # off"), ["none"]);
    }
}
