//! One event as one line of text.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// `[time] LEVEL message key=value …`, the fields of open spans last.
pub(super) struct TextLine {
    /// Syslog stamps its own time; stderr has none.
    pub(super) with_time: bool,
}

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.with_time {
            SystemTime.format_time(&mut writer)?;
            writer.write_char(' ')?;
        }
        write!(writer, "{} ", event.metadata().level())?;
        ctx.field_format().format_fields(writer.by_ref(), event)?;
        for span in ctx.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(writer, " {fields}")?;
            }
        }
        writeln!(writer)
    }
}

/// Fields whose values hold no control characters and end somewhere.
pub(super) struct SafeFields;

impl<'w> FormatFields<'w> for SafeFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = SafeVisitor {
            writer,
            first: true,
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct SafeVisitor<'w> {
    writer: Writer<'w>,
    first: bool,
    result: fmt::Result,
}

impl SafeVisitor<'_> {
    fn write(&mut self, field: &Field, value: &str) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.writer.write_char(' ')?;
        }
        if field.name() == "message" {
            return write_safe(&mut self.writer, value, Quoting::Never);
        }
        write!(self.writer, "{}=", field.name())?;
        write_safe(&mut self.writer, value, Quoting::WhenNeeded)
    }
}

impl Visit for SafeVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.result = self.result.and_then(|()| self.write(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Whether a value with blanks stands in quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Never,
    WhenNeeded,
}

/// Writes a value so that it stays in its line and in its field.
fn write_safe(out: &mut impl fmt::Write, value: &str, quoting: Quoting) -> fmt::Result {
    let quoted = quoting == Quoting::WhenNeeded
        && (value.is_empty() || value.contains([' ', '"', '=', '\\']));
    if quoted {
        out.write_char('"')?;
    }
    for (written, c) in value.chars().enumerate() {
        if written == MAX_VALUE_CHARS {
            out.write_str("…")?;
            break;
        }
        match c {
            '"' | '\\' if quoted => write!(out, "\\{c}")?,
            c if is_unsafe(c) => write!(out, "{}", c.escape_unicode())?,
            c => out.write_char(c)?,
        }
    }
    if quoted { out.write_char('"') } else { Ok(()) }
}

/// Control characters, and those that reorder or break a line in a terminal.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters of one value; the rest is cut and marked with `…`.
pub(super) const MAX_VALUE_CHARS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(value: &str) -> String {
        let mut out = String::new();
        write_safe(&mut out, value, Quoting::WhenNeeded).unwrap();
        out
    }

    #[test]
    fn a_value_can_neither_end_its_line_nor_forge_a_field() {
        assert_eq!(
            safe("bob\nAccepted publickey"),
            "\"bob\\u{a}Accepted publickey\""
        );
        assert_eq!(safe("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(safe("x\" answer=found"), "\"x\\\" answer=found\"");
        assert_eq!(safe("\u{202e}gnp"), "\\u{202e}gnp");
        assert_eq!(safe(""), "\"\"");
    }

    #[test]
    fn an_ordinary_value_stands_as_it_is() {
        assert_eq!(safe("SHA256:abc+/"), "SHA256:abc+/");
    }

    #[test]
    fn a_long_value_is_cut_at_its_cap() {
        let cut = safe(&"a".repeat(MAX_VALUE_CHARS + 1));
        assert_eq!(cut.chars().count(), MAX_VALUE_CHARS + 1);
        assert!(cut.ends_with('…'));
    }
}
