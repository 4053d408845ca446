//! Reads key options from left to right, as sshd does.
//!
//! A name ends at the first byte that no name has, and is looked up whole and without regard to case. sshd instead tries
//! each known name as a prefix and then stumbles over what follows it; both refuse the same texts.

use crate::cursor::{Cursor, is_blank};
use crate::error::{OptionError, OptionReason};
use crate::expiry::{CivilTime, ExpiryTime};
use crate::from::FromPatterns;
use crate::number;
use crate::options::{EnvironmentSetting, KeyOptions, Permissions, Tunnel};
use crate::permit::Permit;
use crate::value::OptionValue;

/// Reads options that are all there is.
pub(crate) fn parse_all(bytes: &[u8]) -> Result<KeyOptions, OptionError> {
    let mut cursor = Cursor::new(bytes);
    let options = parse(&mut cursor)?;
    match cursor.peek() {
        None if bytes.last() == Some(&b',') => Err(OptionError {
            reason: OptionReason::EndsInComma,
            at: cursor.at(),
        }),
        None => Ok(options),
        Some(_) => Err(OptionError {
            reason: OptionReason::Blank,
            at: cursor.at(),
        }),
    }
}

/// Reads options up to the blank that ends them.
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<KeyOptions, OptionError> {
    let mut options = KeyOptions::default();
    while !cursor.at_end_of_options() {
        let at = cursor.at();
        parse_one(cursor, &mut options).map_err(|reason| OptionError { reason, at })?;
        if cursor.at_end_of_options() {
            break;
        }
        if !cursor.eat(b',') {
            return Err(OptionError {
                reason: OptionReason::Unknown,
                at: cursor.at(),
            });
        }
    }
    if options.principals.is_some() && !options.cert_authority {
        return Err(OptionError {
            reason: OptionReason::PrincipalsWithoutAuthority,
            at: 0,
        });
    }
    Ok(options)
}

/// Moves the cursor past options without understanding them: to the first blank outside of quotes.
pub(crate) fn skip(cursor: &mut Cursor<'_>) -> Result<(), OptionReason> {
    let mut quoted = false;
    while let Some(byte) = cursor.peek() {
        if !quoted && is_blank(byte) {
            return Ok(());
        }
        cursor.bump();
        match byte {
            b'\\' => {
                cursor.eat(b'"');
            }
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    if quoted {
        Err(OptionReason::NoClosingQuote)
    } else {
        Ok(())
    }
}

/// One option without the comma behind it. An empty one is tolerated, as sshd does.
fn parse_one(cursor: &mut Cursor<'_>, options: &mut KeyOptions) -> Result<(), OptionReason> {
    let name = cursor
        .take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        .to_ascii_lowercase();
    let name = String::from_utf8(name).map_err(|_| OptionReason::Unknown)?;
    if cursor.eat(b'=') {
        return set_value(&name, cursor, options);
    }
    if name.is_empty() && (cursor.at_end_of_options() || cursor.peek() == Some(b',')) {
        return Ok(());
    }
    set_flag(&name, options)
}

fn set_flag(name: &str, options: &mut KeyOptions) -> Result<(), OptionReason> {
    let (positive, on) = match name.strip_prefix("no-") {
        Some(positive) => (positive, false),
        None => (name, true),
    };
    let permissions = &mut options.permissions;
    match positive {
        "restrict" if on => {
            options.restrict = true;
            options.permissions = Permissions::NONE;
        }
        "cert-authority" if on => options.cert_authority = true,
        "port-forwarding" => permissions.port_forwarding = on,
        "agent-forwarding" => permissions.agent_forwarding = on,
        "x11-forwarding" => permissions.x11_forwarding = on,
        "pty" => permissions.pty = on,
        "user-rc" => permissions.user_rc = on,
        "touch-required" => options.no_touch_required = !on,
        "verify-required" => options.verify_required = on,
        _ => return Err(OptionReason::Unknown),
    }
    Ok(())
}

fn set_value(
    name: &str,
    cursor: &mut Cursor<'_>,
    options: &mut KeyOptions,
) -> Result<(), OptionReason> {
    if !WITH_VALUE.contains(&name) {
        return Err(OptionReason::Unknown);
    }
    let value = OptionValue::read(cursor)?;
    match name {
        "command" => set_once(&mut options.command, value),
        "principals" => set_once(&mut options.principals, value),
        "from" => set_once(&mut options.from, FromPatterns::new(value)?),
        "expiry-time" => add_expiry(options, value.as_str()),
        "environment" => add_environment(options, value.as_str()),
        "permitopen" => {
            options
                .permit_open
                .push(Permit::parse_open(value.as_str())?);
            Ok(())
        }
        "permitlisten" => {
            options
                .permit_listen
                .push(Permit::parse_listen(value.as_str())?);
            Ok(())
        }
        _ => {
            options.tunnel = Some(parse_tunnel(value.as_str())?);
            Ok(())
        }
    }
}

fn set_once<T>(place: &mut Option<T>, value: T) -> Result<(), OptionReason> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(OptionReason::Repeated),
    }
}

/// Of several times by one clock the earliest wins. Times by two clocks can't be compared here, so both are kept.
fn add_expiry(options: &mut KeyOptions, text: &str) -> Result<(), OptionReason> {
    let earliest =
        |held: &mut Option<CivilTime>, time| *held = Some(held.map_or(time, |held| held.min(time)));
    match ExpiryTime::parse(text).ok_or(OptionReason::BadExpiryTime)? {
        ExpiryTime::Utc(time) => earliest(&mut options.expiry_utc, time),
        ExpiryTime::Local(time) => earliest(&mut options.expiry_local, time),
    }
    Ok(())
}

/// Of several settings of one variable the first wins.
fn add_environment(options: &mut KeyOptions, text: &str) -> Result<(), OptionReason> {
    let setting = EnvironmentSetting::parse(text)?;
    if !options
        .environment
        .iter()
        .any(|held| held.name() == setting.name())
    {
        options.environment.push(setting);
    }
    Ok(())
}

fn parse_tunnel(text: &str) -> Result<Tunnel, OptionReason> {
    if text.eq_ignore_ascii_case("any") {
        return Ok(Tunnel::Any);
    }
    number::parse(text, MAX_TUNNEL)
        .map(Tunnel::Device)
        .ok_or(OptionReason::BadTunnel)
}

/// The options that take a value.
const WITH_VALUE: [&str; 8] = [
    "command",
    "principals",
    "from",
    "expiry-time",
    "environment",
    "permitopen",
    "permitlisten",
    "tunnel",
];

/// The highest number of a tunnel device: sshd keeps the two above it for itself.
const MAX_TUNNEL: u32 = i32::MAX as u32 - 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, OptionReason> {
        KeyOptions::parse(text)
            .map(|options| options.render())
            .map_err(|error| error.reason)
    }

    #[test]
    fn order_decides_what_restrict_leaves() {
        assert_eq!(rendered("restrict,pty").as_deref(), Ok("restrict,pty"));
        assert_eq!(rendered("pty,restrict").as_deref(), Ok("restrict"));
        assert_eq!(rendered("no-pty,pty").as_deref(), Ok(""));
        assert_eq!(
            rendered("pty,no-pty,no-user-rc").as_deref(),
            Ok("no-pty,no-user-rc")
        );
        assert_eq!(
            rendered("restrict,X11-forwarding,agent-forwarding,port-forwarding,user-rc").as_deref(),
            Ok("restrict,port-forwarding,agent-forwarding,X11-forwarding,user-rc")
        );
    }

    #[test]
    fn names_know_no_case_and_empty_items_are_tolerated() {
        assert_eq!(rendered("No-PTY,,x11-FORWARDING").as_deref(), Ok("no-pty"));
        assert_eq!(
            rendered(",,COMMAND=\"id\"").as_deref(),
            Ok("command=\"id\"")
        );
        assert_eq!(rendered(""), Ok(String::new()));
        assert_eq!(rendered(","), Err(OptionReason::EndsInComma));
    }

    #[test]
    fn every_option_with_a_value_is_read_and_printed_in_one_order() {
        let text = concat!(
            "tunnel=\"+1\",permitlisten=\"80\",permitopen=\"[::1]:22\",environment=\"A=b c\",expiry-time=\"20301231\",",
            "expiry-time=\"20311231Z\",command=\"say \\\"hi\\\"\",from=\"10.0.0.0/8\",verify-required,no-touch-required"
        );
        let canonical = concat!(
            "no-touch-required,verify-required,from=\"10.0.0.0/8\",command=\"say \\\"hi\\\"\",environment=\"A=b c\",",
            "permitopen=\"[::1]:22\",permitlisten=\"*:80\",tunnel=\"1\",",
            "expiry-time=\"20311231000000Z\",expiry-time=\"20301231000000\""
        );
        assert_eq!(rendered(text).as_deref(), Ok(canonical));
        assert_eq!(rendered(canonical).as_deref(), Ok(canonical));
    }

    #[test]
    fn the_earliest_expiry_the_first_environment_and_the_last_tunnel_win() {
        assert_eq!(
            rendered(
                "expiry-time=\"20301231Z\",expiry-time=\"20201231Z\",expiry-time=\"20251231Z\""
            )
            .as_deref(),
            Ok("expiry-time=\"20201231000000Z\"")
        );
        assert_eq!(
            rendered("environment=\"A=1\",environment=\"A=2\"").as_deref(),
            Ok("environment=\"A=1\"")
        );
        assert_eq!(
            rendered("tunnel=\"1\",tunnel=\"any\"").as_deref(),
            Ok("tunnel=\"any\"")
        );
    }

    #[test]
    fn command_from_and_principals_may_stand_once() {
        for text in [
            "command=\"a\",command=\"a\"",
            "from=\"*\",from=\"*\"",
            "cert-authority,principals=\"a\",principals=\"a\"",
        ] {
            assert_eq!(rendered(text), Err(OptionReason::Repeated), "{text}");
        }
    }

    #[test]
    fn principals_need_a_certificate_authority() {
        assert_eq!(
            rendered("principals=\"a\""),
            Err(OptionReason::PrincipalsWithoutAuthority)
        );
        assert!(rendered("principals=\"a\",cert-authority").is_ok());
    }

    #[test]
    fn unknown_and_malformed_options_are_refused() {
        for text in [
            "ptyx",
            "restricted",
            "no-restrict",
            "no-cert-authority",
            "no-no-pty",
            "pty=\"\"",
            "pty#",
            "\"pty\"",
            "\"\"",
            "unknown",
            "unknown=\"x\"",
            "no-command=\"x\"",
            "command",
            "command\"x\"",
            "command=\"x\"pty",
            "=\"x\"",
            "é",
        ] {
            assert_eq!(rendered(text), Err(OptionReason::Unknown), "{text}");
        }
        for (text, reason) in [
            ("command=id", OptionReason::NoOpeningQuote),
            ("command='id'", OptionReason::NoOpeningQuote),
            ("command= \"id\"", OptionReason::NoOpeningQuote),
            ("command=\"id", OptionReason::NoClosingQuote),
            ("pty pty", OptionReason::Blank),
            (" pty", OptionReason::Blank),
            ("environment=\"A\"", OptionReason::BadEnvironment),
            ("environment=\"=b\"", OptionReason::BadEnvironment),
            ("environment=\"A-B=c\"", OptionReason::BadEnvironment),
            ("tunnel=\"-1\"", OptionReason::BadTunnel),
            ("tunnel=\"2147483646\"", OptionReason::BadTunnel),
            ("tunnel=\"1:2\"", OptionReason::BadTunnel),
            ("expiry-time=\"2030\"", OptionReason::BadExpiryTime),
            ("from=\"10.0.0.1/8\"", OptionReason::InconsistentNetwork),
        ] {
            assert_eq!(rendered(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn an_error_says_where() {
        assert_eq!(KeyOptions::parse("pty,bogus,pty").unwrap_err().at, 4);
        assert_eq!(KeyOptions::parse("pty pty").unwrap_err().at, 3);
    }
}
