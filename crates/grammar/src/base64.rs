//! Base64 as key blobs use it: padded, canonical, nothing else.
//!
//! Written here because this crate may depend on nothing: the key command links it. sshd's decoder also refuses missing
//! padding and bits left over in the last group, so one blob has exactly one text, and texts can be compared for equality.

/// Decodes canonical, padded base64; `None` for anything else.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let mut groups = bytes.chunks_exact(4).peekable();
    while let Some(group) = groups.next() {
        let &[a, b, c, d] = group else { return None };
        let last = groups.peek().is_none();
        match (c, d) {
            (b'=', b'=') if last => {
                let bits = u32::from(sextet(a)?) << 6 | u32::from(sextet(b)?);
                push(&mut out, bits, 4, 1)?;
            }
            (_, b'=') if last => {
                let bits = u32::from(sextet(a)?) << 12
                    | u32::from(sextet(b)?) << 6
                    | u32::from(sextet(c)?);
                push(&mut out, bits, 2, 2)?;
            }
            _ => {
                let high = u32::from(sextet(a)?) << 18 | u32::from(sextet(b)?) << 12;
                let bits = high | u32::from(sextet(c)?) << 6 | u32::from(sextet(d)?);
                push(&mut out, bits, 0, 3)?;
            }
        }
    }
    Some(out)
}

/// Encodes with padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place <= group.len() {
                out.push(letter(bits >> (18 - 6 * place) & 0x3f));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// Drops `spare` low bits, which must be zero, and appends the `count` low bytes that remain.
fn push(out: &mut Vec<u8>, bits: u32, spare: u32, count: usize) -> Option<()> {
    if bits & ((1 << spare) - 1) != 0 {
        return None;
    }
    let bytes = (bits >> spare).to_be_bytes();
    out.extend_from_slice(bytes.get(4 - count..)?);
    Some(())
}

const fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn letter(sextet: u32) -> char {
    let low = u8::try_from(sextet & 0x3f).unwrap_or(0);
    char::from(match low {
        0..=25 => b'A' + low,
        26..=51 => b'a' + (low - 26),
        52..=61 => b'0' + (low - 52),
        62 => b'+',
        _ => b'/',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_decode_and_encode() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()), "{text}");
            assert_eq!(encode(plain.as_bytes()), text);
        }
    }

    #[test]
    fn missing_padding_spare_bits_blanks_and_padding_in_the_middle_are_refused() {
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Z===", "====", "Zm9-",
            "=m9v",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
