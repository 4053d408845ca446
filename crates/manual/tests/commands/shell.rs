//! Text as a shell takes it apart, as far as documentation goes.

/// A simple command: its words, and the line on which it begins, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simple {
    pub words: Vec<String>,
    pub line: usize,
}

/// Every simple command of a text, those inside of `$(…)` among them.
pub fn commands(text: &str) -> Vec<Simple> {
    let mut reader = Reader {
        rest: text,
        ..Reader::default()
    };
    reader.read();
    reader.found
}

#[derive(Debug, Default)]
struct Reader<'a> {
    rest: &'a str,
    line: usize,
    began: usize,
    word: Option<String>,
    words: Vec<String>,
    /// The next word is a file that something is read from or written to.
    is_redirected: bool,
    found: Vec<Simple>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(char) = self.next() {
            match char {
                '\\' => self.escaped(),
                '\'' => self.quoted('\''),
                '"' => self.quoted('"'),
                '$' if self.rest.starts_with('(') => self.substituted(),
                '#' if self.word.is_none() => self.skip_line(),
                // `yes|no` is a choice, and a pipe stands between blanks.
                '|' if self.word.is_some() && !self.rest.starts_with([' ', '|']) => {
                    self.skip_word()
                }
                '\n' | ';' | '|' | '&' | '(' | ')' => self.end_command(),
                '<' | '>' => self.redirected(),
                ' ' | '\t' => self.end_word(),
                char => self.push(char),
            }
        }
        self.end_command();
    }

    fn next(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = &self.rest[char.len_utf8()..];
        if char == '\n' {
            self.line += 1;
        }
        Some(char)
    }

    fn push(&mut self, char: char) {
        self.begin_word().push(char);
    }

    fn begin_word(&mut self) -> &mut String {
        if self.words.is_empty() && self.word.is_none() {
            self.began = self.line;
        }
        self.word.get_or_insert_default()
    }

    fn escaped(&mut self) {
        match self.next() {
            Some('\n') | None => {}
            Some(char) => self.push(char),
        }
    }

    fn quoted(&mut self, end: char) {
        self.begin_word();
        while let Some(char) = self.next() {
            match char {
                char if char == end => return,
                '$' if end == '"' && self.rest.starts_with('(') => self.substituted(),
                '\\' if end == '"' => self.escaped(),
                char => self.push(char),
            }
        }
    }

    /// `$(…)`: commands of their own, and a word of whatever they print.
    fn substituted(&mut self) {
        let mut depth = 0_usize;
        let end = self.rest.find(|char| {
            match char {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let end = end.unwrap_or(self.rest.len());
        let inner = commands(&self.rest[1..end]);
        let line = self.line;
        self.found.extend(inner.into_iter().map(|simple| Simple {
            line: simple.line + line,
            ..simple
        }));
        self.line += self.rest[..end].matches('\n').count();
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        "PRINTED".chars().for_each(|char| self.push(char));
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn skip_word(&mut self) {
        let end = self
            .rest
            .find([' ', '\n', ']', ')'])
            .unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn redirected(&mut self) {
        // The number of a file descriptor.
        if self
            .word
            .as_deref()
            .is_some_and(|word| word.parse::<u8>().is_ok())
        {
            self.word = None;
        }
        self.end_word();
        self.is_redirected = true;
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.is_redirected)
        {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.is_redirected = false;
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            let line = self.began;
            self.found.push(Simple { words, line });
        }
    }
}

#[test]
fn a_text_is_taken_apart_as_a_shell_does_it() {
    let text = "A=1 sudo keyroster user \\\n  add alice   # a comment\n\
        token=$(keyroster host list | head -1) && x --reason \"on call\" < in 2> out\n[--end yes|no]";
    let found: Vec<(usize, String)> = commands(text)
        .into_iter()
        .map(|simple| (simple.line, simple.words.join("~")))
        .collect();
    let expected = [
        (0, "A=1~sudo~keyroster~user~add~alice"),
        (2, "keyroster~host~list"),
        (2, "head~-1"),
        (2, "token=PRINTED"),
        (2, "x~--reason~on call"),
        (3, "[--end~yes]"),
    ];
    assert_eq!(
        found,
        expected.map(|(line, words)| (line, words.to_owned()))
    );
}
