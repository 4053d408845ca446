//! Every line of the corpus, put before our parser and before sshd.
//!
//! What we take is also printed again, and sshd must understand what we printed as it understood what we read.

use keyroster_grammar::{AuthorizedKey, LineError, LineReason, Port, parse_line};
use keyroster_openssh_compliance::corpus::{self, Case, Class};
use keyroster_openssh_compliance::keys::{KeyName, Keys};
use keyroster_openssh_compliance::oracle::{Oracle, Verdict};
use keyroster_testkit::{Result, RootDir};

type Ours = std::result::Result<AuthorizedKey, LineError>;

#[test]
fn lines_that_sshd_takes_are_taken_and_printed_with_the_same_meaning() {
    let alike = |sshd: &Verdict, ours: &Ours| matches!((sshd, ours), (Verdict::Accept(_), Ok(_)));
    assert_eq!(
        complaints(Class::Good, alike).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn lines_that_sshd_understands_but_lets_nobody_in_by_are_taken() {
    let alike = |sshd: &Verdict, ours: &Ours| matches!((sshd, ours), (Verdict::Defer, Ok(_)));
    assert_eq!(
        complaints(Class::Unmet, alike).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn lines_that_sshd_ignores_are_refused() {
    let alike = |sshd: &Verdict, ours: &Ours| matches!((sshd, ours), (Verdict::Ignore, Err(_)));
    assert_eq!(complaints(Class::Bad, alike).unwrap(), Vec::<String>::new());
}

#[test]
fn the_lines_that_we_refuse_and_sshd_takes_are_those_that_we_mean_to() {
    let stricter =
        |sshd: &Verdict, ours: &Ours| matches!((sshd, ours), (Verdict::Accept(_), Err(_)));
    assert_eq!(
        complaints(Class::Stricter, stricter).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn lines_put_together_at_random_are_read_alike() {
    let alike = |sshd: &Verdict, ours: &Ours| match (sshd, ours) {
        (Verdict::Accept(_) | Verdict::Defer, Ok(_)) | (Verdict::Ignore, Err(_)) => true,
        (Verdict::Ignore, Ok(key)) => names_a_service(key),
        (Verdict::Accept(_) | Verdict::Defer, Err(_)) => false,
    };
    assert_eq!(
        complaints(Class::Open, alike).unwrap(),
        Vec::<String>::new()
    );
}

/// Asks both sides about every line of a class, and then sshd about what we print for it.
fn complaints(class: Class, expected: fn(&Verdict, &Ours) -> bool) -> Result<Vec<String>> {
    let dir = RootDir::new()?;
    let keys = Keys::make(dir.path(), &KeyName::ALL)?;
    let oracle = Oracle::start(&dir, "")?;
    let mut complaints = Vec::new();
    for case in corpus::of_class(class, &keys, SEED) {
        let private = keys.private_path(case.key);
        let sshd = oracle.ask(&case.line, &private)?;
        let ours = parse(&case.line);
        if !expected(&sshd, &ours) {
            complaints.push(format!("{}: sshd: {sshd:?}, ours: {ours:?}", case.name));
        }
        if let (Ok(key), Verdict::Accept(_)) = (&ours, &sshd) {
            complaints.extend(complain_of_print(key, &case, &sshd, |line| {
                oracle.ask(line, &private)
            })?);
        }
    }
    Ok(complaints)
}

/// What sshd understands differently in the line that we print than in the line that we read.
fn complain_of_print(
    key: &AuthorizedKey,
    case: &Case,
    sshd: &Verdict,
    ask: impl Fn(&[u8]) -> Result<Verdict>,
) -> Result<Option<String>> {
    let printed = match key.render() {
        Ok(printed) => printed,
        Err(error) => return Ok(Some(format!("{}: not printed: {error}", case.name))),
    };
    if case.line.trim_ascii_end() == printed.as_bytes() {
        return Ok(None);
    }
    let again = ask(printed.as_bytes())?;
    let complaint = || {
        format!(
            "{}: printed as {printed}: {again:?} is not {sshd:?}",
            case.name
        )
    };
    Ok((again != *sshd).then(complaint))
}

/// A blank line is no error for us, and no key for sshd.
fn parse(line: &[u8]) -> Ours {
    parse_line(line)?.ok_or(LineError {
        reason: LineReason::NoKey,
        at: 0,
    })
}

/// Whether the host's list of services has a say, which we can't know.
fn names_a_service(key: &AuthorizedKey) -> bool {
    let permits = key
        .options
        .permit_open
        .iter()
        .chain(&key.options.permit_listen);
    permits
        .into_iter()
        .any(|permit| matches!(permit.port(), Port::Service(_)))
}

/// Another seed tries other lines; this one makes a failure come again.
const SEED: u64 = 92;
