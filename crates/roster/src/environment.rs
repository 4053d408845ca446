use std::collections::{BTreeMap, BTreeSet};

use crate::ModelError;
use crate::command::check_quotable;

/// Environment variables that a login gets: at most one value for each name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Environment(BTreeMap<Box<str>, Box<str>>);

impl Environment {
    /// Adds `NAME=value`. A name that is there already is refused, even with the same value.
    pub fn add(&mut self, text: &str) -> Result<(), ModelError> {
        let refused = |rule| ModelError::Option {
            option: "environment".into(),
            rule,
        };
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| refused("write environment=NAME=value"))?;
        check_name(name).map_err(refused)?;
        if value.len() > MAX_ENVIRONMENT_VALUE_BYTES {
            return Err(ModelError::TooLong {
                what: "environment value",
                length: value.len(),
                max: MAX_ENVIRONMENT_VALUE_BYTES,
            });
        }
        check_quotable("environment value", value)?;
        if self.0.insert(name.into(), value.into()).is_some() {
            return Err(refused("the same name is given twice"));
        }
        if self.0.len() > MAX_ENVIRONMENT_VARIABLES {
            return Err(ModelError::TooMany {
                what: "environment",
                count: self.0.len(),
                max: MAX_ENVIRONMENT_VARIABLES,
            });
        }
        Ok(())
    }

    /// Names and values, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    /// The variables of all. The error is the first name, in order of names, that two of them give different values to.
    pub fn union<'a>(all: impl IntoIterator<Item = &'a Self>) -> Result<Self, Box<str>> {
        let mut union: BTreeMap<&Box<str>, &Box<str>> = BTreeMap::new();
        let mut conflicts = BTreeSet::new();
        for (name, value) in all.into_iter().flat_map(|environment| &environment.0) {
            if union
                .insert(name, value)
                .is_some_and(|other| other != value)
            {
                conflicts.insert(name);
            }
        }
        match conflicts.first() {
            Some(name) => Err((*name).clone()),
            None => Ok(Self(
                union
                    .into_iter()
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect(),
            )),
        }
    }
}

/// The first character is no digit, so that a shell can name the variable. What the dynamic loader reads would let a
/// variable of one grant defeat the forced command of another.
fn check_name(name: &str) -> Result<(), &'static str> {
    let shape = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if name.is_empty() || name.len() > MAX_ENVIRONMENT_NAME_BYTES || !shape {
        Err("a name has 1 to 64 letters, digits and \"_\", the first no digit")
    } else if name.starts_with(LOADER_PREFIX) {
        Err("variables of the dynamic loader could defeat a forced command")
    } else {
        Ok(())
    }
}

/// Variables in one grant.
pub const MAX_ENVIRONMENT_VARIABLES: usize = 32;
/// Bytes in the name of a variable.
pub const MAX_ENVIRONMENT_NAME_BYTES: usize = 64;
/// Bytes in the value of a variable.
pub const MAX_ENVIRONMENT_VALUE_BYTES: usize = 1_024;

const LOADER_PREFIX: &str = "LD_";

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(texts: &[&str]) -> Environment {
        let mut environment = Environment::default();
        for text in texts {
            environment.add(text).unwrap();
        }
        environment
    }

    #[test]
    fn a_variable_is_a_name_and_any_printable_value() {
        let environment = variables(&["B=", "A=x=y \"#,'é"]);
        assert_eq!(
            environment.iter().collect::<Vec<_>>(),
            [("A", "x=y \"#,'é"), ("B", "")]
        );
    }

    #[test]
    fn a_variable_that_sshd_or_a_shell_would_not_take_is_refused() {
        let long_name = format!("{}=v", "N".repeat(MAX_ENVIRONMENT_NAME_BYTES + 1));
        let long_value = format!("N={}", "v".repeat(MAX_ENVIRONMENT_VALUE_BYTES + 1));
        for text in [
            "",
            "A",
            "=v",
            "1A=v",
            "A-B=v",
            "A=\n",
            "A=\\",
            "LD_PRELOAD=x",
            &long_name,
            &long_value,
        ] {
            assert!(Environment::default().add(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_given_once_and_names_are_capped() {
        assert!(variables(&["A=1"]).add("A=1").is_err());
        let mut full = Environment::default();
        for at in 0..MAX_ENVIRONMENT_VARIABLES {
            full.add(&format!("A{at}=")).unwrap();
        }
        assert!(matches!(full.add("B="), Err(ModelError::TooMany { .. })));
    }

    #[test]
    fn a_union_refuses_two_values_for_one_name_and_names_the_first_in_any_order() {
        let [a, b, c] =
            [&["A=1", "B=2", "Z=1"][..], &["B=2", "Z=2"], &["A=3", "C=3"]].map(variables);
        assert_eq!(
            Environment::union([&b, &c]).unwrap(),
            variables(&["A=3", "B=2", "C=3", "Z=2"])
        );
        for order in [[&a, &b, &c], [&c, &b, &a], [&b, &a, &c]] {
            assert_eq!(Environment::union(order), Err("A".into()));
        }
    }
}
