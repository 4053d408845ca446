//! How the writing of the files can go.

use crate::host_steps::killed;
use crate::machine::{Fate, Model};
use crate::rules::Written;
use crate::world::{Disk, Doc, Host, Memory};

impl Model {
    /// Every way in which the writing can go.
    pub(crate) fn fates(
        &self,
        host: &Host,
        memory: Memory,
        owed: Option<Doc>,
    ) -> Vec<(Fate, Host)> {
        let writes = self.adapter.writes(memory, owed, host.disk);
        let with = |disk: Disk| {
            let mut host = host.clone();
            host.disk = disk;
            host
        };
        let mut fates = vec![(Fate::Whole, with(written(host.disk, &writes)))];
        let crashes = if self.scope.crashes { writes.len() } else { 0 };
        for count in 0..crashes {
            let host = killed(&with(written(host.disk, &writes[..count])));
            fates.push((Fate::KilledAfter(count), host));
        }
        if self.scope.bad_disk {
            fates.extend(self.bad_fates(host, memory, &writes));
            fates.push((Fate::ReadOnly, host.clone()));
        }
        fates
    }

    fn bad_fates(&self, host: &Host, memory: Memory, writes: &[Written]) -> Vec<(Fate, Host)> {
        let mut fates = Vec::new();
        for at in 0..writes.len() {
            for high_water in [false, true] {
                let mut made = writes[..at].to_vec();
                let seen = writes[at + 1..]
                    .iter()
                    .filter(|write| matches!(write, Written::HighWater(_)));
                if high_water {
                    made.extend(seen);
                }
                let disk = written(host.disk, &made);
                let removed = self.adapter.removals(memory, disk);
                let all = removed.len();
                for (count, disk) in std::iter::once(disk).chain(removed).enumerate() {
                    let fate = Fate::Failed {
                        at,
                        high_water,
                        removed: count,
                    };
                    let mut failed = host.clone();
                    failed.disk = disk;
                    if count < all {
                        failed = killed(&failed);
                    } else {
                        failed.truth.strike(memory);
                    }
                    fates.push((fate, failed));
                }
            }
        }
        fates
    }
}

fn written(mut disk: Disk, writes: &[Written]) -> Disk {
    for write in writes {
        match write {
            Written::Snapshot(doc) => disk.snapshot = Some(*doc),
            Written::HighWater(seen) => disk.high_water = Some(*seen),
            Written::Confirmed(file) => disk.confirmed = Some(*file),
        }
    }
    disk
}
