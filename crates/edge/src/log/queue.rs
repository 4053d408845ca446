//! The bounded queue between those who log and the thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// What takes lines off the queue's hands; may block as long as it likes.
pub(super) trait WriteLine: Send + 'static {
    fn write_line(&mut self, level: Level, line: &str);
}

/// The logging side.
pub(super) struct Queue {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// Writes what is queued when it is dropped, for as long as `FLUSH_TIMEOUT`.
#[must_use = "lines that are still queued are lost without it"]
pub struct LogGuard {
    sender: SyncSender<Message>,
}

enum Message {
    Line(Level, String),
    Flush(SyncSender<()>),
}

impl Queue {
    pub(super) fn start(sink: impl WriteLine) -> io::Result<(Self, LogGuard)> {
        let (sender, receiver) = sync_channel(QUEUE_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_all(&receiver, &counter, sink))?;
        let guard = LogGuard {
            sender: sender.clone(),
        };
        Ok((Self { sender, dropped }, guard))
    }

    fn push(&self, level: Level, line: String) {
        match self.sender.try_send(Message::Line(level, line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn write_all(receiver: &Receiver<Message>, dropped: &AtomicU64, mut sink: impl WriteLine) {
    while let Ok(message) = receiver.recv() {
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            sink.write_line(
                Level::WARN,
                &format!("log queue was full, lines_dropped={lost}"),
            );
        }
        match message {
            Message::Line(level, line) => sink.write_line(level, line.trim_end_matches('\n')),
            // The one who asked may have stopped waiting.
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let (done, finished) = sync_channel(1);
        // A queue that is full now belongs to a receiver that does not read: waiting for it is what this module avoids.
        if self.sender.try_send(Message::Flush(done)).is_ok() {
            let _ = finished.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            queue: self,
            level: Level::INFO,
            bytes: Vec::new(),
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line {
            queue: self,
            level: *meta.level(),
            bytes: Vec::new(),
        }
    }
}

/// One line under construction; queued when it is dropped.
pub(super) struct Line<'a> {
    queue: &'a Queue,
    level: Level,
    bytes: Vec<u8>,
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let line = if self.bytes.len() <= MAX_LINE_BYTES {
            String::from_utf8_lossy(&self.bytes).into_owned()
        } else {
            // Cut JSON would be no JSON; a line this long says nothing that its length does not.
            format!(
                "{{\"level\":\"{}\",\"message\":\"log line of {} bytes dropped\"}}",
                self.level,
                self.bytes.len()
            )
        };
        self.queue.push(self.level, line);
    }
}

/// Lines that wait for the writer.
pub(super) const QUEUE_LINES: usize = 1024;

/// Bytes of one line; a datagram of syslog must hold it.
pub(super) const MAX_LINE_BYTES: usize = 8 * 1024;

/// How long the end of a program waits for queued lines.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Hands lines to the test, one for each go.
    struct Gate {
        go: Receiver<()>,
        lines: Sender<String>,
    }

    impl WriteLine for Gate {
        fn write_line(&mut self, _level: Level, line: &str) {
            if self.go.recv().is_ok() {
                self.lines.send(line.to_owned()).unwrap();
            }
        }
    }

    #[test]
    fn a_receiver_that_does_not_read_holds_nobody_up_and_the_loss_is_counted() {
        let (release, go) = channel();
        let (lines, written) = channel();
        let (queue, guard) = Queue::start(Gate { go, lines }).unwrap();
        for n in 0..QUEUE_LINES + 10 {
            queue.push(Level::INFO, format!("line {n}"));
        }
        drop(guard);
        assert!(
            written.try_recv().is_err(),
            "nothing was written while the receiver stood still"
        );
        for _ in 0..QUEUE_LINES {
            release.send(()).unwrap();
        }
        let lost = written
            .iter()
            .take(QUEUE_LINES)
            .find(|line| line.contains("lines_dropped="));
        assert!(lost.is_some());
    }

    #[test]
    fn a_line_beyond_its_cap_is_replaced_by_its_length() {
        let (release, go) = channel();
        let (lines, written) = channel();
        let (queue, _guard) = Queue::start(Gate { go, lines }).unwrap();
        release.send(()).unwrap();
        queue
            .make_writer()
            .write_all(&vec![b'x'; MAX_LINE_BYTES + 1])
            .unwrap();
        assert!(
            written
                .recv()
                .unwrap()
                .contains("log line of 8193 bytes dropped")
        );
    }
}
