//! `keyroster key`: public keys, each of one user.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keyroster_api::key::{AddKey, KeyView, Revoke};
use keyroster_api::time;
use keyroster_keys::pasted::MAX_PASTED_BYTES;
use keyroster_keys::{Fingerprint, PastedKeyError, UserName, parse_public_key};
use secrecy::zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::{People, Report};
use crate::session::Session;
use crate::span::{When, moment_text};
use crate::table::Table;
use crate::wait::WaitArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Add a public key to a user
    Add(AddArgs),
    /// List keys
    List {
        /// Only those of this user
        #[arg(long)]
        user: Option<UserName>,
    },
    /// Show a key
    Show {
        /// The key's fingerprint, as `ssh-keygen -l` prints it
        #[arg(value_name = "FINGERPRINT")]
        fingerprint: Fingerprint,
    },
    /// End a key, on every host
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Whose key it is
    user: UserName,
    /// The file with the public key, one line as in a `.pub` file; `-` for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// What to call it; the key's comment if not given
    #[arg(long)]
    label: Option<String>,
    /// When it ends by itself: an RFC 3339 time or a span such as 90d
    #[arg(long, value_name = "WHEN")]
    expires: Option<When>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The key's fingerprint, as `ssh-keygen -l` prints it
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: Fingerprint,
    /// Why, for the audit log
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    waiting: WaitArgs,
}

pub(crate) async fn run(verb: KeyVerb, session: &Session) -> Result<Report> {
    match verb {
        KeyVerb::Add(args) => add(args, session).await,
        KeyVerb::List { user } => list(user.as_ref(), session).await,
        KeyVerb::Show { fingerprint } => show(&fingerprint, session).await,
        KeyVerb::Revoke(args) => revoke(args, session).await,
    }
}

async fn add(args: AddArgs, session: &Session) -> Result<Report> {
    let expires_at = args
        .expires
        .map(|when| {
            when.in_future(
                session.now(),
                "--expires",
                "give a later time, or a span such as 90d",
            )
        })
        .transpose()?;
    let public_key = read_public_key(&args.file)?;
    let body = AddKey {
        public_key,
        label: args.label,
        expires_at,
    };
    let key = session.client()?.add_key(&args.user, &body).await?;
    let sentence = format!(
        "added key {} ({}) to user \"{}\"",
        key.fingerprint, key.algorithm, key.user
    );
    Report::confirm(&key, sentence)
}

async fn list(user: Option<&UserName>, session: &Session) -> Result<Report> {
    let (client, progress) = (session.client()?, session.progress("keys"));
    let keys = match user {
        Some(user) => client.keys_of(user, &progress).await?,
        None => client.keys(&progress).await?,
    };
    let mut table = Table::list(&[
        "FINGERPRINT",
        "USER",
        "ALGORITHM",
        "LABEL",
        "EXPIRES",
        "STATE",
    ]);
    for key in &keys {
        table.row([
            &key.fingerprint,
            &key.user,
            &key.algorithm,
            label(key),
            &moment_text(key.expires_at),
            &key.state,
        ]);
    }
    Report::new(&keys, People::List(table))
}

async fn show(fingerprint: &Fingerprint, session: &Session) -> Result<Report> {
    let key = session.client()?.key(fingerprint).await?;
    let mut table = Table::object();
    table
        .row(["fingerprint", &key.fingerprint])
        .row(["user", &key.user])
        .row(["algorithm", &key.algorithm])
        .row(["label", label(&key)])
        .row(["added", &time::to_rfc3339(key.added_at)])
        .row(["expires", &moment_text(key.expires_at)])
        .row(["state", &key.state]);
    if key.revoked_at.is_some() {
        table.row(["revoked", &moment_text(key.revoked_at)]);
    }
    table.row(["blob", &key.blob]);
    Report::new(&key, People::Object(table))
}

async fn revoke(args: RevokeArgs, session: &Session) -> Result<Report> {
    let body = Revoke {
        reason: args.reason,
    };
    let (client, waiting) = session.client_for(args.waiting.wait)?;
    let change = client
        .revoke_key(&args.fingerprint, &body, waiting.as_ref())
        .await?;
    change.report(&format!("revoked key {}", args.fingerprint))
}

/// The public key in a file, checked here: what is no public key never leaves this machine.
fn read_public_key(path: &Path) -> Result<String> {
    let (text, name) = if path == Path::new("-") {
        invite();
        (
            read_capped(std::io::stdin().lock()),
            String::from("standard input"),
        )
    } else {
        let name = format!("\"{}\"", path.display());
        (File::open(path).and_then(read_capped), name)
    };
    let text = text.map_err(|error| unreadable(&error, &name))?;
    match parse_public_key(&text) {
        Ok(_) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(refused(&error, &name)),
    }
}

/// Says what is waited for, where somebody could wonder.
fn invite() {
    if std::io::stdin().is_terminal() {
        // Without it the command works all the same.
        let _ = writeln!(
            std::io::stderr(),
            "paste the public key, then press Enter and Ctrl-D"
        );
    }
}

fn unreadable(error: &io::Error, name: &str) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => Failure::new(Exit::Data, format!("{name} is not text")),
        _ => Failure::new(
            Exit::NoInput,
            format!("can't read a public key from {name}: {error}"),
        ),
    }
    .hint(PUBLIC_KEY_HINT)
}

fn refused(error: &PastedKeyError, name: &str) -> Failure {
    match error {
        PastedKeyError::PrivateKey => Failure::new(
            Exit::Data,
            format!("{name} holds a private key; nothing of it was sent"),
        )
        .hint(PUBLIC_KEY_HINT),
        PastedKeyError::Options => Failure::new(Exit::Data, format!("{name}: {error}"))
            .hint("give the key alone, and the options to `keyroster grant add --option`"),
        _ => Failure::new(Exit::Data, format!("{name}: {error}")).hint(PUBLIC_KEY_HINT),
    }
}

fn read_capped(from: impl Read) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(READ_BYTES));
    from.take(READ_BYTES as u64).read_to_string(&mut text)?;
    Ok(text)
}

fn label(key: &KeyView) -> &str {
    if key.label.is_empty() {
        "-"
    } else {
        &key.label
    }
}

const PUBLIC_KEY_HINT: &str = "give the public key, usually the file whose name ends in .pub";
/// Bytes that are read where a public key is expected: one more than it may have, so that a longer one is seen to be longer.
const READ_BYTES: usize = MAX_PASTED_BYTES + 1;
