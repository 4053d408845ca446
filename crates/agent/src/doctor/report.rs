//! All findings, for people and for programs, and the exit code that follows from them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::doctor::checks::cis::{BENCHMARK, recommendation};
use crate::doctor::finding::{Finding, Outcome, Remedy, Severity};

/// The findings of one run, by group, in the order in which they were looked for.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<(&'static str, Finding)>,
}

/// Which findings people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// What is not as it should be.
    Problems,
    /// All of them.
    All,
}

/// One finding, as `--json` prints it. Fields are only ever added.
#[derive(Debug, Serialize)]
struct Item<'a> {
    id: &'static str,
    group: &'static str,
    severity: &'static str,
    seen: bool,
    what: &'a str,
    why: &'static str,
    mend: Option<&'a str>,
    mend_kind: Option<&'static str>,
    fixable: bool,
    accounts: &'a [String],
    benchmark: Option<&'static str>,
    recommendation: Option<&'static str>,
}

impl Report {
    /// Adds what a group of checks found.
    pub fn add(&mut self, group: &'static str, findings: impl IntoIterator<Item = Finding>) {
        self.findings
            .extend(findings.into_iter().map(|finding| (group, finding)));
    }

    /// All of them.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|(_, finding)| finding)
    }

    /// The worst of them.
    #[must_use]
    pub fn worst(&self) -> Severity {
        let severities = self.findings().map(Finding::severity);
        severities.max().unwrap_or(Severity::Ok)
    }

    /// How the program ends. What could not be seen may hide anything, so it counts unless something is known to be wrong for certain.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let unseen = self.count(|finding| finding.outcome == Outcome::Unseen) > 0;
        match self.worst() {
            Severity::Error => ERROR,
            _ if unseen => UNSEEN,
            Severity::Warning => WARNING,
            Severity::Ok | Severity::Note => crate::exit::OK,
        }
    }

    fn count(&self, counts: impl Fn(&Finding) -> bool) -> usize {
        self.findings().filter(|finding| counts(finding)).count()
    }

    /// For people: the worst first, and within that by group.
    #[must_use]
    pub fn to_text(&self, shown: Shown) -> String {
        let mut text = String::new();
        for severity in [
            Severity::Error,
            Severity::Warning,
            Severity::Note,
            Severity::Ok,
        ] {
            if severity == Severity::Ok && shown == Shown::Problems {
                continue;
            }
            let these = self.findings.iter();
            let these = these.filter(|(_, finding)| finding.severity() == severity);
            for (group, finding) in these {
                push(&mut text, group, finding);
            }
        }
        let counted = |severity| self.count(|finding| finding.severity() == severity);
        let _ = writeln!(
            text,
            "errors: {}, warnings: {}, notes: {}, as they should be: {}",
            counted(Severity::Error),
            counted(Severity::Warning),
            counted(Severity::Note),
            counted(Severity::Ok)
        );
        text
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let item = |(group, finding): &'_ (&'static str, Finding)| {
            let mend = finding.mend();
            serde_json::to_value(Item {
                id: finding.rule.id,
                group,
                severity: finding.severity().word(),
                seen: finding.outcome != Outcome::Unseen,
                what: &finding.what,
                why: finding.rule.why,
                mend: mend.as_ref().map(Remedy::text),
                mend_kind: mend.as_ref().map(Remedy::kind),
                fixable: finding.fix.is_some(),
                accounts: &finding.accounts,
                benchmark: recommendation(finding.rule).map(|_| BENCHMARK),
                recommendation: recommendation(finding.rule),
            })
            .unwrap_or_default()
        };
        let findings: Vec<_> = self.findings.iter().map(item).collect();
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "worst": self.worst().word(),
            "exit_code": self.exit_status(),
            "findings": findings,
        })
    }
}

fn push(text: &mut String, group: &str, finding: &Finding) {
    let word = match finding.outcome {
        Outcome::Unseen => "unseen",
        Outcome::Holds | Outcome::Broken => finding.severity().word(),
    };
    let number = recommendation(finding.rule).map(|number| format!(", {number}"));
    let number = number.unwrap_or_default();
    let _ = writeln!(
        text,
        "{word:<8}{group}: {} [{}{number}]",
        finding.what, finding.rule.id
    );
    if finding.outcome == Outcome::Broken {
        let _ = writeln!(text, "        why:  {}", finding.rule.why);
    }
    if let Some(mend) = finding.mend() {
        let label = format!("{}:", mend.kind());
        let _ = writeln!(text, "        {label:<5} {}", mend.text());
    }
}

/// The worst finding is a warning.
pub const WARNING: u8 = 1;
/// The worst finding is an error.
pub const ERROR: u8 = 2;
/// Nothing is known to be wrong, and something could not be looked at.
pub const UNSEEN: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::{Mend, Rule};

    static BAD: Rule = rule("bad", Severity::Error);
    static DOUBTFUL: Rule = rule("doubtful", Severity::Warning);
    static ODD: Rule = rule("odd", Severity::Note);

    const fn rule(id: &'static str, severity: Severity) -> Rule {
        Rule {
            id,
            severity,
            meaning: "m",
            why: "because",
            mend: Mend::Run("do it"),
        }
    }

    fn report(findings: Vec<Finding>) -> Report {
        let mut report = Report::default();
        report.add("group", findings);
        report
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_finding() {
        let (odd, doubtful) = (Finding::broken(&ODD, "o"), Finding::broken(&DOUBTFUL, "d"));
        let (bad, unseen) = (Finding::broken(&BAD, "b"), Finding::unseen(&BAD, "u"));
        for (findings, code) in [
            (vec![], 0),
            (vec![Finding::holds(&BAD, "fine"), odd.clone()], 0),
            (vec![odd.clone(), doubtful.clone()], 1),
            (vec![doubtful.clone(), unseen.clone()], 3),
            (vec![unseen.clone()], 3),
            (vec![unseen, doubtful, bad], 2),
        ] {
            assert_eq!(report(findings).exit_status(), code);
        }
    }

    #[test]
    fn people_see_the_worst_first_and_what_holds_only_when_they_ask() {
        let findings = vec![
            Finding::holds(&ODD, "fine"),
            Finding::broken(&DOUBTFUL, "late").mended_by(Remedy::judge("hurry?")),
            Finding::broken(&BAD, "broken"),
        ];
        let text = report(findings).to_text(Shown::Problems);
        assert!(
            text.starts_with(
                "error   group: broken [bad]\n        why:  because\n        mend: do it\nwarning "
            ),
            "{text}"
        );
        assert!(
            text.contains("\n        judge: hurry?\n") && !text.contains("fine"),
            "{text}"
        );
        let all = report(vec![Finding::holds(&ODD, "fine")]).to_text(Shown::All);
        assert!(all.starts_with("ok      group: fine [odd]\n"), "{all}");
    }

    #[test]
    fn programs_get_every_finding_with_its_id() {
        let json = report(vec![Finding::broken(&BAD, "b"), Finding::unseen(&ODD, "u")]).to_json();
        assert_eq!(json["worst"], "error");
        assert_eq!(json["exit_code"], 2);
        let first = &json["findings"][0];
        assert_eq!(
            (&first["id"], &first["mend"]),
            (&"bad".into(), &"do it".into())
        );
        assert_eq!(first["mend_kind"], "mend");
        assert_eq!(json["findings"][1]["seen"], false);
        assert_eq!(json["findings"][1]["mend"], serde_json::Value::Null);
    }
}
