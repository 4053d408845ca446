//! What would change in a file, line by line, as `diff -u` shows it without its context cut.

/// The lines of both texts: ` ` for those that stay, `-` for those that go, `+` for those that come.
#[must_use]
pub fn lines(before: &str, after: &str) -> Vec<String> {
    let before: Vec<&str> = before.lines().take(MAX_LINES).collect();
    let after: Vec<&str> = after.lines().take(MAX_LINES).collect();
    let common = common(&before, &after);
    let mut shown = Vec::with_capacity(before.len() + after.len());
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    for kept in common {
        while let Some(gone) = old.next_if(|line| **line != kept) {
            shown.push(line('-', gone));
        }
        while let Some(come) = new.next_if(|line| **line != kept) {
            shown.push(line('+', come));
        }
        old.next();
        new.next();
        shown.push(line(' ', kept));
    }
    shown.extend(old.map(|gone| line('-', gone)));
    shown.extend(new.map(|come| line('+', come)));
    shown
}

/// The longest lines in common, in order.
fn common<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<&'a str> {
    // `lengths[i][j]`: how many the rests from `i` and `j` on have in common.
    let mut lengths = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    let at = |lengths: &Vec<Vec<usize>>, i: usize, j: usize| {
        lengths
            .get(i)
            .and_then(|row| row.get(j))
            .copied()
            .unwrap_or(0)
    };
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            let length = match old == new {
                true => at(&lengths, i + 1, j + 1) + 1,
                false => at(&lengths, i + 1, j).max(at(&lengths, i, j + 1)),
            };
            if let Some(cell) = lengths.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j, mut common) = (0, 0, Vec::new());
    while let (Some(old), Some(new)) = (before.get(i), after.get(j)) {
        if old == new {
            common.push(*old);
            (i, j) = (i + 1, j + 1);
        } else if at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    common
}

fn line(sign: char, text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
        .collect();
    format!("{sign}{text}")
}

/// Lines of a file that are compared.
const MAX_LINES: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_go_come_and_stay_are_told_apart() {
        assert_eq!(
            lines("a\nb\nc\n", "a\nx\nc\nd\n"),
            [" a", "-b", "+x", " c", "+d"]
        );
        assert_eq!(lines("", "a\n"), ["+a"]);
        assert_eq!(lines("a\n", ""), ["-a"]);
        assert_eq!(lines("a\nb\n", "a\nb\n"), [" a", " b"]);
        assert_eq!(lines("a\n\na\n", "a\n"), [" a", "-", "-a"]);
    }

    #[test]
    fn what_somebody_typed_into_a_file_reaches_no_terminal() {
        assert_eq!(lines("\u{1b}[2J\tx\n", ""), ["-?[2J\tx"]);
    }
}
