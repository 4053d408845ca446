//! Texts of bodies into types, with the field named when they don't fit.

use std::fmt::Display;
use std::str::FromStr;

use keyroster_api::receipt::Written;
use keyroster_keys::HostName;
use keyroster_roster::{HostId, Reason};
use keyroster_store::RosterState;

use crate::error::{Answer, ApiError, model_error};

/// A host by name or by id. A text that could be both is an id: nobody calls a host like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRef {
    /// By id.
    Id(HostId),
    /// By name: the active host that has it.
    Name(HostName),
}

impl FromStr for HostRef {
    type Err = keyroster_keys::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match HostId::parse(text) {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => HostName::parse(text).map(Self::Name),
        }
    }
}

/// A field's text as the type that the roster takes.
///
/// # Errors
/// When it is none; the problem names the field.
pub fn field<T: FromStr<Err: Display>>(name: &'static str, text: &str) -> Answer<T> {
    text.parse()
        .map_err(|error| ApiError::invalid(name, &error))
}

/// A field that may be absent.
///
/// # Errors
/// When it is there and does not parse.
pub fn optional<T: FromStr<Err: Display>>(
    name: &'static str,
    text: Option<&str>,
) -> Answer<Option<T>> {
    text.map(|text| field(name, text)).transpose()
}

/// Why something is done.
///
/// # Errors
/// When it is there and is no printable text.
pub fn reason(text: Option<&str>) -> Answer<Option<Reason>> {
    text.map(Reason::parse)
        .transpose()
        .map_err(model_error("reason"))
}

/// What a write answers.
#[must_use]
pub fn written(state: RosterState) -> Written {
    Written {
        revision: state.revision.get(),
    }
}
