//! keyroster's SELinux module, compiled and linked into Debian's whole policy, and questions to the result.
//!
//! A kernel is not needed for that: what `semodule` links in a directory of its own is the very file that a kernel would load. The
//! store has every module of Debian's policy, because what a domain may do comes from all of them, and checks the policy's own assertions
//! (`expand-check`), which Debian leaves out for speed.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Annex, Failure, Result, RootDir};

/// A linked policy.
#[derive(Debug)]
pub struct Policy {
    annex: Annex,
    dir: RootDir,
}

impl Policy {
    /// Compiles keyroster's module and links it with all of Debian's.
    pub fn link() -> Result<Self> {
        let annex = Annex::open()?;
        let dir = RootDir::named("keyroster-selinux")?;
        annex.show(dir.path())?;
        let policy = Self { annex, dir };
        for name in ["keyroster.te", "keyroster.if", "keyroster.fc"] {
            let from = packaging(name);
            let text = fs::read(&from).map_err(|error| Failure::io("read", &from, &error))?;
            policy.dir.file(name, text, 0o644)?;
        }
        policy.compile("keyroster")?;
        policy.annex.shell(&format!(
            "cd {dir}\n\
             mkdir -p root/etc/selinux/default root/var/lib/selinux/default\n\
             printf 'SELINUX=enforcing\\nSELINUXTYPE=default\\n' >root/etc/selinux/config\n\
             printf 'module-store = direct\\nexpand-check = 1\\n' >root/etc/selinux/semanage.conf\n\
             {SEMODULE} -X 100 -i /usr/share/selinux/default/*.pp.bz2 -X 400 -i keyroster.pp",
            dir = policy.dir.path().display()
        ))?;
        Ok(policy)
    }

    /// Links one more module, of this source.
    pub fn add(&self, name: &str, source: &str) -> Result {
        self.dir.file(&format!("{name}.te"), source, 0o644)?;
        self.compile(name)?;
        let dir = self.dir.path().display();
        self.annex
            .shell(&format!("cd {dir}\n{SEMODULE} -X 400 -i {name}.pp"))
            .map(drop)
    }

    /// For each question, the rules that match it. A question is a line: `allow`, source, target, class, permission; or `type_transition`, source,
    /// target, class. `*` is anything. A rule about an attribute is one about every type that has it.
    pub fn rules(&self, questions: &[&str]) -> Result<Vec<Vec<String>>> {
        self.dir.file("ask.py", ASK, 0o644)?;
        self.dir.file("questions", questions.join("\n"), 0o644)?;
        let dir = self.dir.path().display();
        let found = self.annex.shell(&format!(
            "cd {dir}\n/usr/bin/python3 ask.py root/etc/selinux/default/policy/policy.* <questions"
        ))?;
        let mut answers = vec![Vec::new(); questions.len()];
        for line in found.lines() {
            let (number, rule) = line
                .split_once('\t')
                .ok_or_else(|| Failure::new(format!("not an answer: \"{line}\"")))?;
            let answer = number.parse().ok().and_then(|n: usize| answers.get_mut(n));
            answer
                .ok_or_else(|| Failure::new(format!("no such question: \"{line}\"")))?
                .push(rule.to_owned());
        }
        Ok(answers)
    }

    /// The type that the policy gives a path.
    pub fn label(&self, path: &str) -> Result<String> {
        let contexts = "root/etc/selinux/default/contexts/files/file_contexts";
        let contexts = self.dir.path().join(contexts);
        let found = self
            .annex
            .shell(&format!("matchpathcon -n -f {} {path}", contexts.display()))?;
        let label = found.trim_end().split(':').nth(2).map(str::to_owned);
        label.ok_or_else(|| Failure::new(format!("no label in \"{}\"", found.trim_end())))
    }

    fn compile(&self, name: &str) -> Result {
        let dir = self.dir.path().display();
        let said = self.annex.shell(&format!(
            "cd {dir}\nmake -f /usr/share/selinux/devel/Makefile NAME=default {name}.pp 2>&1"
        ))?;
        match said.to_lowercase().contains("error") {
            false => Ok(()),
            true => Err(Failure::new(said)),
        }
    }
}

/// A file of the module.
fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging/selinux")
        .join(name)
}

/// Links in the directory, and loads nothing into a kernel.
const SEMODULE: &str = "semodule --noreload --store default --path root";

/// setools' own reading of the policy, once for all questions: `sesearch` would read it anew for each.
const ASK: &str = r#"
import sys
import setools

questions = [line.split() for line in sys.stdin]
members = {}

def has(side, wanted):
    name = str(side)
    if name not in members:
        members[name] = {str(one) for one in side.expand()}
    return wanted == "*" or wanted in members[name]

for rule in setools.SELinuxPolicy(sys.argv[1]).terules():
    kind = str(rule.ruletype)
    for number, (wanted, source, target, tclass, *perm) in enumerate(questions):
        if kind != wanted or tclass not in ("*", str(rule.tclass)):
            continue
        if kind == "allow" and perm != ["*"] and perm[0] not in rule.perms:
            continue
        if has(rule.source, source) and has(rule.target, target):
            print(number, rule, sep="\t")
"#;
