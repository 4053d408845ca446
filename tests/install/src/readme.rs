//! The README's five-minute install, its commands run as they stand there.
//!
//! All of it happens in one fresh root: the key server, the person's own machine and the host are one, with a loopback of their
//! own. What a person would type or have is given: names in `/etc/hosts` for the DNS, a key pair in an ssh-agent, an account, a host
//! key that is known, and the two tokens and the fingerprint that commands print.

use std::path::Path;

use keyroster_testkit::{Failure, Finished, Result, Running};

use crate::packages::Packages;
use crate::release::System;
use crate::root::{Afterwards, Network, Root};

/// The commands under a heading of the README, block by block.
pub fn blocks(readme: &str) -> Result<Vec<String>> {
    let section = readme
        .split_once(HEADING)
        .map(|(_, rest)| rest.split("\n## ").next().unwrap_or_default())
        .ok_or_else(|| Failure::new(format!("no \"{}\" in the README", HEADING.trim())))?;
    let fenced = section.split("```sh\n").skip(1);
    let blocks = fenced.filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()));
    Ok(blocks.collect())
}

/// Follows the README in a fresh root of this system; fails at the first command that does.
pub fn follow(store: &Path, system: System, readme: &str) -> Result {
    let blocks = blocks(readme)?;
    let [server, admin, host, enable, login] = blocks.as_slice() else {
        let count = blocks.len();
        return Err(Failure::new(format!(
            "{count} blocks of commands, not five"
        )));
    };
    let mut root = Root::unpack(store, system, Afterwards::Remove)?;
    bring_packages(&root)?;
    root.boot(Network::Own)?;
    must(&root, BEFORE, "")?;
    let said = must(&root, server, "")?;
    let (pin, token) = (word(&said, "SHA256:")?, word(&said, "krt_")?);
    let said = must(&root, &admin.replace("SHA256:…", &pin), &token)?;
    must(&root, host, &word(&said, "kre1.")?)?;
    let mut enabling = root.begin(enable)?;
    follow_login(&root, login, &mut enabling)
        .map_err(|failure| Failure::new(format!("{failure}\n{}", enabling.output())))
}

/// The login confirms what `enable` has done.
fn follow_login(root: &Root, login: &str, enabling: &mut Running) -> Result {
    enabling.wait_for_line("now log in")?;
    // A login that is over at once may be missed.
    let said = must(root, login, "id -un\nsleep 2\n")?;
    if !said.lines().any(|line| line == "deploy") {
        return Err(Failure::new(format!("not a login to \"deploy\": {said}")));
    }
    enabling.wait_for_line("confirmed by")?;
    must(root, LATER, "").map(drop)
}

fn bring_packages(root: &Root) -> Result {
    let packages = Packages::from_environment()?;
    for name in ["keyroster-server", "keyroster", "keyroster-host"] {
        root.bring(&packages.current(root.system(), name)?)?;
    }
    Ok(())
}

fn must(root: &Root, script: &str, input: &str) -> Result<String> {
    let done: Finished = root.shell(script, input)?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let (status, out, err, journal) = (done.status, done.stdout, done.stderr, root.journal());
    Err(Failure::new(format!(
        "ended with {status}:\n{script}\n{out}{err}\n{journal}"
    )))
}

fn word(said: &str, prefix: &str) -> Result<String> {
    let mut words = said.split(|c: char| c.is_whitespace() || "\"',".contains(c));
    let found = words.find(|word| word.starts_with(prefix));
    found
        .map(ToOwned::to_owned)
        .ok_or_else(|| Failure::new(format!("no word \"{prefix}…\" in what was printed")))
}

/// What is there before the five minutes begin: an admin who is let in by a file is one of it.
const BEFORE: &str = "\
echo 127.0.0.1 keys.example.org web-1 >>/etc/hosts
useradd --create-home --shell /bin/sh --password '*' deploy
install -d -m 700 .ssh
ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
ssh-keygen -q -t ed25519 -N '' -f .ssh/admin
cp .ssh/admin.pub .ssh/authorized_keys
echo \"web-1 $(cat /etc/ssh/ssh_host_ed25519_key.pub)\" >.ssh/known_hosts
ssh-agent -a /root/.ssh/agent >/dev/null
SSH_AUTH_SOCK=/root/.ssh/agent ssh-add -q .ssh/id_ed25519 .ssh/admin
echo 'IdentityAgent /root/.ssh/agent' >.ssh/config
";
/// What must hold afterwards.
const LATER: &str = "\
test -f /etc/ssh/sshd_config.d/10-keyroster.conf
test ! -e /var/lib/keyroster/pending
ssh -o BatchMode=yes deploy@web-1 true
ssh -o BatchMode=yes -o IdentitiesOnly=yes -i .ssh/admin root@web-1 true
";
const HEADING: &str = "\n## Install in five minutes\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sections_own_commands_are_taken() {
        let readme = "```sh\nrm\n```\n## Install in five minutes\nx\n```sh\na\nb\n```\n### y\n```sh\nc\n```\n## Z\n```sh\nd\n```\n";
        assert_eq!(blocks(readme).unwrap(), ["a\nb\n", "c\n"]);
    }
}
