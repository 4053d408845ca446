//! `backup` and `restore`, and what they tell.

use keyroster_store::{Damage, RestoreMode, Told};

use super::{
    EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_IOERR, EX_UNAVAILABLE, EX_USAGE, Failure, open_dir,
    print,
};
use crate::backup::{self, BackupError};
use crate::cli;
use crate::clock::SystemClock;
use crate::restore::{self, Report, RestoreError, Wish, WithoutJournal};

pub(super) async fn backup(options: &cli::Backup) -> Result<(), Failure> {
    let (dir, config) = open_dir(&options.data)?;
    backup::back_up(&dir, &config, &options.to).await?;
    print(&format!(
        "The roster is in {}\nKeep with it, where nobody else can read it: {} with its keys, and the revocation journal\n",
        options.to.display(),
        dir.path().display(),
    ))
}

pub(super) async fn restore(options: &cli::Restore) -> Result<(), Failure> {
    let (dir, config) = open_dir(&options.data)?;
    let wish = Wish {
        from: options.from.clone(),
        journals: options.journals.clone(),
        without_journal: match options.without_journal {
            true => WithoutJournal::GoOn,
            false => WithoutJournal::Refuse,
        },
        damage: match options.damaged_journal {
            true => Damage::UseWhatIsLeft,
            false => Damage::Refuse,
        },
        mode: match options.dry_run {
            true => RestoreMode::DryRun,
            false => RestoreMode::Commit,
        },
    };
    let report = restore::restore(&dir, &config, &wish, &SystemClock, &mut |_| Ok(())).await?;
    print(&text(&report, wish.mode))
}

fn text(report: &Report, mode: RestoreMode) -> String {
    let restored = &report.restored;
    let (before, after) = (&restored.before, &restored.after);
    let mut lines = vec![format!(
        "Epoch {} (was {}), revision {} (was {})",
        after.epoch, before.epoch, after.revision, before.revision
    )];
    for journal in &report.journals {
        let newest = journal
            .newest()
            .map_or_else(String::new, |at| format!(", the newest of {at}"));
        lines.push(format!(
            "Journal {}: {} events{newest}",
            journal.path().display(),
            journal.entries()
        ));
    }
    lines.push(format!(
        "Alive again in the backup, and ended: {}",
        restored.done.len()
    ));
    for done in &restored.done {
        let about = match done.about.as_str() {
            "" => String::new(),
            about => format!(" ({about})"),
        };
        lines.push(format!("  {} {}{about}", done.action.as_str(), done.object));
    }
    lines.push(format!(
        "Enrolment tokens ended: {}",
        restored.enrolment_tokens
    ));
    if !restored.open.is_empty() {
        lines.push(format!("To be looked at: {}", restored.open.len()));
        lines.extend(restored.open.iter().map(|open| format!("  {open}")));
    }
    if let Some(kept) = &report.kept {
        lines.push(format!("The roster before is in {}", kept.display()));
    }
    match (mode, &report.told) {
        (RestoreMode::DryRun, _) => {
            lines.push("Nothing was changed: this was a dry run".to_owned())
        }
        (RestoreMode::Commit, Some(Told::Everything { .. })) => {}
        (RestoreMode::Commit, _) => {
            lines.push("The revocation journal does not know of this yet; the key server tells it when it runs".to_owned());
        }
    }
    lines.join("\n") + "\n"
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let code = match &error {
            BackupError::Exists(_) => EX_CANTCREAT,
            BackupError::Postgres => EX_USAGE,
            BackupError::Location(_) => EX_CONFIG,
            BackupError::Store(_) => EX_UNAVAILABLE,
            BackupError::File(_) => EX_IOERR,
        };
        Self {
            hint: error.hint(),
            ..Self::of(code, &error).because(&error)
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        let hint = error.hint();
        let failure = match error {
            RestoreError::Lock(error) => Self::from(error),
            // The source is in the message already.
            RestoreError::Backup { .. } => Self::of(EX_DATAERR, &error),
            other => {
                let code = match &other {
                    RestoreError::NoJournal(_) | RestoreError::Postgres => EX_USAGE,
                    RestoreError::Journal(_) => EX_DATAERR,
                    RestoreError::Store(_) => EX_UNAVAILABLE,
                    RestoreError::File(_) => EX_IOERR,
                    _ => EX_CONFIG,
                };
                Self::of(code, &other).because(&other)
            }
        };
        Self { hint, ..failure }
    }
}
