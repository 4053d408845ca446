//! Secrets that systemd hands over: where they are then, and where they are not.

use std::fs;
use std::path::Path;

use keyroster_testkit::{Failure, Result};

use super::{DATA, HANDED_OVER};
use crate::machine::Machine;

/// Two in the place that the unit names, one in a place that a drop-in names. The roster's file gets another name, which stands only
/// in the URL that is handed over: without it the key server would find no roster.
pub fn are_handed_over(machine: &mut Machine) -> Result {
    machine.must(MOVE)?;
    machine.must_serve()?;
    machine.must_reach_the_host("handed-over")?;
    for file in [
        format!("{HANDED_OVER}/ca-key"),
        format!("{HANDED_OVER}/database-url"),
        SNAPSHOT_KEY.to_owned(),
    ] {
        must_lie_nowhere_else(machine, &machine.root.read(&file)?, &file)?;
    }
    machine.must(ONLY_FOR_THE_SERVICE).map(drop)
}

/// The same of a key that lies encrypted on the disk.
pub fn are_decrypted(machine: &mut Machine) -> Result {
    let key = machine.root.read(&format!("{HANDED_OVER}/ca-key"))?;
    machine.must(ENCRYPT)?;
    machine.must_serve()?;
    machine.must_reach_the_host("decrypted")?;
    must_lie_nowhere_else(machine, &key, "ca-key.cred")?;
    let secret = line_that_tells(&key);
    must_not_hold(&machine.root.path(HANDED_OVER), secret)?;
    machine.must(DECRYPT)?;
    machine.must_serve()
}

fn must_lie_nowhere_else(machine: &Machine, text: &str, what: &str) -> Result {
    let secret = line_that_tells(text);
    must_not_hold(&machine.root.path(DATA), secret)?;
    let process = machine.must(PROCESS)?;
    if !process.contains("CREDENTIALS_DIRECTORY=") {
        return Err(Failure::new(format!("not its environment: {process}")));
    }
    if process.contains(secret) {
        return Err(Failure::new(format!(
            "\"{what}\" is in the environment or in the command line"
        )));
    }
    Ok(())
}

/// Of PEM the line with the most in it; a URL is one line.
fn line_that_tells(text: &str) -> &str {
    let secret = text.lines().max_by_key(|line| line.len());
    secret.unwrap_or(text)
}

fn must_not_hold(dir: &Path, secret: &str) -> Result {
    let listed = fs::read_dir(dir).map_err(|error| Failure::io("read", dir, &error))?;
    for path in listed.flatten().map(|entry| entry.path()) {
        let held = fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
        if held
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
        {
            return Err(Failure::new(format!(
                "a secret lies in \"{}\"",
                path.display()
            )));
        }
    }
    Ok(())
}

const SNAPSHOT_KEY: &str = "/root/secrets/snapshot-key";
const MOVE: &str = "\
systemctl stop keyroster-server
cd /var/lib/keyroster-server
install -d -m 700 /root/secrets
mv ca.key /etc/keyroster-server/ca-key
mv snapshot-key /root/secrets/snapshot-key
mv roster.db handed-over.db
echo sqlite:/var/lib/keyroster-server/handed-over.db >/etc/keyroster-server/database-url
chmod 600 /etc/keyroster-server/database-url
chown root:root /etc/keyroster-server/ca-key /root/secrets/snapshot-key
install -d /etc/systemd/system/keyroster-server.service.d
printf '[Service]\\nLoadCredential=snapshot-key:/root/secrets/snapshot-key\\n' \
    >/etc/systemd/system/keyroster-server.service.d/secrets.conf
systemctl daemon-reload
systemctl start keyroster-server
";
/// Both as the kernel tells them.
const PROCESS: &str = "\
pid=$(systemctl show --property=MainPID --value keyroster-server)
tr '\\0' '\\n' <\"/proc/$pid/environ\"
tr '\\0' '\\n' <\"/proc/$pid/cmdline\"
";
const ONLY_FOR_THE_SERVICE: &str = "\
pid=$(systemctl show --property=MainPID --value keyroster-server)
dir=$(tr '\\0' '\\n' <\"/proc/$pid/environ\" | sed -n 's/^CREDENTIALS_DIRECTORY=//p')
for name in ca-key snapshot-key database-url; do
    test -s \"/proc/$pid/root$dir/$name\"
    ! runuser -u keyroster-lookup -- cat \"$dir/$name\"
done
";
const ENCRYPT: &str = "\
systemd-creds encrypt --name=ca-key /etc/keyroster-server/ca-key /etc/keyroster-server/ca-key.cred
mv /etc/keyroster-server/ca-key /root/secrets/ca-key
printf '[Service]\\nLoadCredentialEncrypted=ca-key:/etc/keyroster-server/ca-key.cred\\n' \
    >/etc/systemd/system/keyroster-server.service.d/encrypted.conf
systemctl daemon-reload
systemctl restart keyroster-server
";
const DECRYPT: &str = "\
rm /etc/systemd/system/keyroster-server.service.d/encrypted.conf /etc/keyroster-server/ca-key.cred
mv /root/secrets/ca-key /etc/keyroster-server/ca-key
systemctl daemon-reload
systemctl restart keyroster-server
";
