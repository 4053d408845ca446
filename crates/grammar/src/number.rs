//! Whole numbers as sshd reads them: blanks and a sign may stand before the digits, nothing may follow.

/// A number from 0 to `most`, or `None`.
pub(crate) fn parse(text: &str, most: u32) -> Option<u32> {
    let text = text.trim_start_matches(' ');
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let number = plain(digits, most)?;
    (!negative || number == 0).then_some(number)
}

/// The same without blanks and sign.
pub(crate) fn plain(digits: &str, most: u32) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let number = if significant.is_empty() {
        0
    } else {
        significant.parse().ok()?
    };
    (number <= most).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn blanks_and_signs_before_and_nothing_after() {
        for (text, number) in [
            ("0", 0),
            ("22", 22),
            ("+22", 22),
            (" 22", 22),
            ("0022", 22),
            ("-0", 0),
        ] {
            assert_eq!(parse(text, 65535), Some(number), "{text}");
        }
        for text in [
            "",
            " ",
            "-1",
            "22 ",
            "0x16",
            "65536",
            "99999999999999999999",
            "+ 1",
            "+-1",
            "1.0",
        ] {
            assert_eq!(parse(text, 65535), None, "{text}");
        }
    }
}
