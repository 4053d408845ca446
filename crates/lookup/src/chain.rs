//! The ordered list of sources, in the grammar of nsswitch.conf(5).
//!
//! ```text
//! chain  = source [ actions ] { source [ actions ] }
//! source = "agent" | "direct" | "command:" ( absolute-path | name )
//! actions = "[" { [ "!" ] status "=" action } "]"
//! status = "SUCCESS" | "NOTFOUND" | "UNAVAIL" | "TRYAGAIN"
//! action = "return" | "continue"
//! ```
//!
//! Statuses and actions are read without regard to case; `!` means every other status; of several that name one status the
//! last counts. The defaults are nsswitch's: `SUCCESS=return`, the others `continue`.
//!
//! Two things that nsswitch has are refused. `SUCCESS=continue` would ask on after the line was found and could only lose
//! it. `merge` would join the lines of two providers for one key, of which sshd takes the first that matches: a restricted line
//! and an open one for the same key are an open one.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::provider;

/// Most sources in one chain.
pub(crate) const SOURCES_MAX: usize = 8;

/// Where an answer can come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The host agent's socket.
    Agent,
    /// The one-shot fetch.
    Direct,
    /// Another provider's key command, which is given the account.
    Command(PathBuf),
    /// Another provider's key command, of which the configuration has the whole line under this name.
    Named(String),
}

impl Source {
    /// Whether it is the key server that speaks through this source.
    pub(crate) const fn is_key_server(&self) -> bool {
        match self {
            Self::Agent | Self::Direct => true,
            Self::Command(_) | Self::Named(_) => false,
        }
    }

    fn parse(word: &str) -> Result<Self, ChainError> {
        match word {
            "agent" => Ok(Self::Agent),
            "direct" => Ok(Self::Direct),
            _ => match word.strip_prefix("command:") {
                Some(path) if Path::new(path).is_absolute() => Ok(Self::Command(path.into())),
                Some(name) if provider::is_name(name) => Ok(Self::Named(name.to_owned())),
                Some(_) => Err(ChainError::RelativeCommand),
                None => Err(ChainError::UnknownSource),
            },
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent => f.write_str("agent"),
            Self::Direct => f.write_str("direct"),
            Self::Command(path) => write!(f, "command:{}", path.display()),
            Self::Named(name) => write!(f, "command:{name}"),
        }
    }
}

/// Whether the search goes on after an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Action {
    /// Ends the search.
    Return,
    /// Asks the next source.
    Continue,
}

/// The actions of one source. `SUCCESS` has none to choose: it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Actions {
    /// After an authoritative no.
    pub(crate) not_found: Action,
    /// After "could not be decided".
    pub(crate) unavailable: Action,
    /// After "could not be decided in time".
    pub(crate) try_again: Action,
}

impl Actions {
    const DEFAULT: Self = Self {
        not_found: Action::Continue,
        unavailable: Action::Continue,
        try_again: Action::Continue,
    };

    fn parse(list: &str) -> Result<Self, ChainError> {
        let mut actions = Self::DEFAULT;
        let mut empty = true;
        for criterion in list.split_ascii_whitespace() {
            actions.apply(criterion)?;
            empty = false;
        }
        if empty {
            Err(ChainError::EmptyActions)
        } else {
            Ok(actions)
        }
    }

    fn apply(&mut self, criterion: &str) -> Result<(), ChainError> {
        let (status, action) = criterion.split_once('=').ok_or(ChainError::Criterion)?;
        let (negated, status) = match status.strip_prefix('!') {
            Some(status) => (true, status),
            None => (false, status),
        };
        let action = match action {
            word if word.eq_ignore_ascii_case("return") => Action::Return,
            word if word.eq_ignore_ascii_case("continue") => Action::Continue,
            _ => return Err(ChainError::Action),
        };
        let named = ["SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"]
            .map(|word| status.eq_ignore_ascii_case(word));
        if named == [false; 4] {
            return Err(ChainError::Status);
        }
        let [success, not_found, unavailable, try_again] = named.map(|named| named != negated);
        if success && action == Action::Continue {
            return Err(ChainError::SuccessContinues);
        }
        for (meant, place) in [
            (not_found, &mut self.not_found),
            (unavailable, &mut self.unavailable),
            (try_again, &mut self.try_again),
        ] {
            if meant {
                *place = action;
            }
        }
        Ok(())
    }
}

/// One source with its actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Whom to ask.
    pub(crate) source: Source,
    /// What to do after each outcome.
    pub(crate) actions: Actions,
}

/// An ordered list of 1 to [`SOURCES_MAX`] sources, each named once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain(Vec<Step>);

impl Chain {
    /// The chain of a host without a configuration: the host agent alone.
    pub(crate) fn agent_only() -> Self {
        Self(vec![Step {
            source: Source::Agent,
            actions: Actions::DEFAULT,
        }])
    }

    /// The chain that `text`, one line's value, describes.
    pub(crate) fn parse(text: &str) -> Result<Self, ChainError> {
        let mut steps: Vec<Step> = Vec::new();
        let mut rest = text.trim_ascii();
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| c.is_ascii_whitespace() || c == '[')
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let source = Source::parse(word)?;
            if steps.iter().any(|step| step.source == source) {
                return Err(ChainError::Twice);
            }
            let after = after.trim_ascii_start();
            let actions = match after.strip_prefix('[') {
                None => {
                    rest = after;
                    Actions::DEFAULT
                }
                Some(list) => {
                    let (list, after) = list.split_once(']').ok_or(ChainError::OpenBracket)?;
                    rest = after.trim_ascii_start();
                    Actions::parse(list)?
                }
            };
            steps.push(Step { source, actions });
        }
        match steps.len() {
            0 => Err(ChainError::Empty),
            1..=SOURCES_MAX => Ok(Self(steps)),
            _ => Err(ChainError::TooMany),
        }
    }

    /// The sources in order, at least one.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// Why a text is not a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainError {
    Empty,
    TooMany,
    Twice,
    UnknownSource,
    RelativeCommand,
    OpenBracket,
    EmptyActions,
    Criterion,
    Status,
    Action,
    SuccessContinues,
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no source is named",
            Self::TooMany => "more than 8 sources are named",
            Self::Twice => "a source is named twice",
            Self::UnknownSource => {
                "a source is neither `agent` nor `direct` nor `command:PATH` nor `command:NAME`"
            }
            Self::RelativeCommand => {
                "what stands behind `command:` is neither an absolute path nor a name"
            }
            Self::OpenBracket => "a `[` has no `]`",
            Self::EmptyActions => "the brackets are empty",
            Self::Criterion => "an action is not of the form `STATUS=action`",
            Self::Status => "a status is none of SUCCESS, NOTFOUND, UNAVAIL, TRYAGAIN",
            Self::Action => "an action is neither `return` nor `continue`",
            Self::SuccessContinues => "`SUCCESS=continue` would lose the line that was found",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: Action = Action::Return;
    const C: Action = Action::Continue;

    fn actions(list: &str) -> [Action; 3] {
        let chain = Chain::parse(&format!("agent [{list}]")).unwrap();
        let actions = chain.steps()[0].actions;
        [actions.not_found, actions.unavailable, actions.try_again]
    }

    fn refusal(text: &str) -> ChainError {
        Chain::parse(text).unwrap_err()
    }

    #[test]
    fn the_chain_of_the_design_is_read_in_order() {
        let text = "agent [UNAVAIL=continue] direct [NOTFOUND=return] command:/usr/bin/sss_ssh_authorizedkeys";
        let chain = Chain::parse(text).unwrap();
        let sources: Vec<_> = chain
            .steps()
            .iter()
            .map(|step| step.source.to_string())
            .collect();
        assert_eq!(
            sources,
            ["agent", "direct", "command:/usr/bin/sss_ssh_authorizedkeys"]
        );
        assert_eq!(
            chain.steps()[1].actions,
            Actions {
                not_found: R,
                ..Actions::DEFAULT
            }
        );
    }

    #[test]
    fn every_status_but_success_continues_unless_told_otherwise() {
        let chain = Chain::parse("agent").unwrap();
        assert_eq!(chain, Chain::agent_only());
        assert_eq!(actions("SUCCESS=return"), [C, C, C]);
    }

    #[test]
    fn each_status_has_an_action_of_its_own() {
        assert_eq!(actions("NOTFOUND=return"), [R, C, C]);
        assert_eq!(actions("UNAVAIL=return"), [C, R, C]);
        assert_eq!(actions("TRYAGAIN=return"), [C, C, R]);
        assert_eq!(actions(" UNAVAIL=return  TRYAGAIN=return "), [C, R, R]);
    }

    #[test]
    fn a_negated_status_means_every_other() {
        assert_eq!(actions("!UNAVAIL=return"), [R, C, R]);
        assert_eq!(actions("!SUCCESS=return"), [R, R, R]);
        assert_eq!(actions("!SUCCESS=continue"), [C, C, C]);
    }

    #[test]
    fn the_last_of_several_actions_for_a_status_counts() {
        assert_eq!(actions("NOTFOUND=return NOTFOUND=continue"), [C, C, C]);
        assert_eq!(actions("!SUCCESS=return UNAVAIL=continue"), [R, C, R]);
    }

    #[test]
    fn statuses_and_actions_are_read_without_regard_to_case() {
        assert_eq!(actions("notfound=Return"), [R, C, C]);
    }

    #[test]
    fn brackets_may_touch_the_source_and_sources_may_be_apart() {
        assert_eq!(
            Chain::parse("\tagent[NOTFOUND=return]direct ").unwrap(),
            Chain::parse("agent [NOTFOUND=return]  direct").unwrap()
        );
    }

    #[test]
    fn going_on_after_success_is_refused_however_it_is_said() {
        assert_eq!(
            refusal("agent [SUCCESS=continue] direct"),
            ChainError::SuccessContinues
        );
        assert_eq!(
            refusal("agent [!NOTFOUND=continue] direct"),
            ChainError::SuccessContinues
        );
    }

    #[test]
    fn what_is_not_a_chain_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", ChainError::Empty),
            ("  ", ChainError::Empty),
            ("files", ChainError::UnknownSource),
            ("AGENT", ChainError::UnknownSource),
            ("[NOTFOUND=return] agent", ChainError::UnknownSource),
            (
                "agent [NOTFOUND=return] [UNAVAIL=return]",
                ChainError::UnknownSource,
            ),
            ("command:", ChainError::RelativeCommand),
            ("command:bin/keys", ChainError::RelativeCommand),
            ("agent [NOTFOUND=return", ChainError::OpenBracket),
            ("agent []", ChainError::EmptyActions),
            ("agent [NOTFOUND]", ChainError::Criterion),
            ("agent [NOTFOUND = return]", ChainError::Criterion),
            ("agent [FOUND=return]", ChainError::Status),
            ("agent [!=return]", ChainError::Status),
            ("agent [SUCCESS=merge]", ChainError::Action),
            ("agent direct agent", ChainError::Twice),
        ] {
            assert_eq!(refusal(text), reason, "{text:?}");
        }
        let many: String = (0..=SOURCES_MAX)
            .map(|n| format!("command:/x{n} "))
            .collect();
        assert_eq!(refusal(&many), ChainError::TooMany);
    }
}
