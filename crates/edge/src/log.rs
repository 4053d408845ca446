//! tracing events as lines on stderr or in syslog.
//!
//! Two things that the libraries leave out decide the shape. What a stranger typed reaches log lines, so control characters
//! are escaped and lengths capped here, for every value, and not at each call. And a receiver that does not read must
//! never hold up a login: lines go through a bounded queue to a thread of their own; when the queue is full they are
//! counted and dropped, and the count is logged when there is room again.

mod format;
mod queue;
mod sink;

use std::io;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use format::{SafeFields, TextLine};
pub use queue::LogGuard;
use queue::Queue;
use sink::Sink;

/// Where lines go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// Standard error; under systemd that is the journal.
    Stderr,
    /// The local syslog.
    Syslog {
        /// The facility of every message.
        facility: Facility,
        /// The receiver's socket.
        socket: PathBuf,
    },
}

/// The syslog facility of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facility {
    /// Background work.
    Daemon,
    /// Who was let in, and who was not.
    Authpriv,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `message key=value key="two words"`.
    Text,
    /// One JSON object per line.
    Json,
}

/// What [`init`] is asked for.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The program's name, as syslog shows it.
    pub program: &'static str,
    /// Where lines go.
    pub destination: Destination,
    /// How a line looks.
    pub format: Format,
    /// A filter in the grammar of tracing: `info`, `warn,keyroster_agent=debug`.
    pub filter: String,
}

/// Logging could not be set up; the program's configuration is wrong.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not in tracing's grammar.
    #[error("log filter `{0}` is not valid")]
    Filter(String),
    /// The writer's thread could not be started.
    #[error("can't start the log writer: {0}")]
    Thread(#[source] io::Error),
    /// Somebody set up logging before.
    #[error("logging is set up already")]
    Twice,
}

/// Sets up logging for the process. Keep the guard until the end of `main`: dropping it writes what is still queued.
///
/// A syslog that is not there is no error: lines are dropped until it comes.
pub fn init(options: LogOptions) -> Result<LogGuard, LogError> {
    let filter = EnvFilter::try_new(&options.filter)
        .map_err(|_| LogError::Filter(options.filter.clone()))?;
    let with_time = matches!(options.destination, Destination::Stderr);
    let (queue, guard) =
        Queue::start(Sink::new(options.program, options.destination)).map_err(LogError::Thread)?;
    let subscriber = subscriber(filter, options.format, with_time, queue);
    subscriber.try_init().map_err(|_| LogError::Twice)?;
    Ok(guard)
}

fn subscriber(
    filter: EnvFilter,
    format: Format,
    with_time: bool,
    queue: Queue,
) -> Box<dyn tracing::Subscriber + Send + Sync> {
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(queue);
    match format {
        Format::Json => Box::new(registry.with(layer.json().flatten_event(true))),
        Format::Text => {
            let layer = layer
                .event_format(TextLine { with_time })
                .fmt_fields(SafeFields);
            Box::new(registry.with(layer))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use tracing::Level;

    use super::*;

    struct Lines(Sender<(Level, String)>);

    impl queue::WriteLine for Lines {
        fn write_line(&mut self, level: Level, line: &str) {
            self.0.send((level, line.to_owned())).unwrap();
        }
    }

    /// The one line that a warning about a stranger's account name becomes, inside of a span.
    fn line(format: Format) -> (Level, String) {
        let (sender, lines) = channel();
        let (queue, guard) = Queue::start(Lines(sender)).unwrap();
        let subscriber = subscriber(EnvFilter::new("info"), format, false, queue);
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("not asked for");
            let span = tracing::info_span!("request", id = 7);
            let _entered = span.enter();
            tracing::warn!(account = "a b\nc", "odd name");
        });
        drop(guard);
        lines.try_recv().unwrap()
    }

    #[test]
    fn an_event_is_one_line_of_text_with_its_fields_and_its_spans() {
        let expected = "WARN odd name account=\"a b\\u{a}c\" id=7";
        assert_eq!(line(Format::Text), (Level::WARN, expected.to_owned()));
    }

    #[test]
    fn an_event_is_one_line_of_json() {
        let (level, line) = line(Format::Json);
        assert_eq!(level, Level::WARN);
        assert!(
            line.starts_with('{') && line.ends_with('}') && !line.contains('\n'),
            "{line}"
        );
        assert!(line.contains("\"account\":\"a b\\nc\""), "{line}");
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let options = LogOptions {
            program: "keyroster-test",
            destination: Destination::Stderr,
            format: Format::Text,
            filter: "keyroster=loud".to_owned(),
        };
        assert!(matches!(init(options), Err(LogError::Filter(_))));
    }
}
