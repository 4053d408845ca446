//! A refusal of the key server, as a failure of this program.

use keyroster_api::{Problem, ProblemKind, problem};
use keyroster_edge::Answer;
use reqwest::StatusCode;

use crate::address::ServerAddress;
use crate::exit::Exit;
use crate::failure::Failure;

/// What an answer means whose status is no success.
pub(super) fn of(answer: &Answer, server: &ServerAddress) -> Failure {
    let explained = match answer.media_type() == problem::CONTENT_TYPE {
        true => serde_json::from_slice::<Problem>(&answer.body).ok(),
        false => None,
    };
    let failure = match explained {
        Some(problem) => from_problem(problem, answer.status),
        None => unexplained(answer.status, server),
    };
    match failure.exit() {
        Exit::NoPermission if answer.status == StatusCode::UNAUTHORIZED => {
            failure.or_hint("get a new token from an admin, then `keyroster login`")
        }
        Exit::NoPermission => failure.or_hint("`keyroster whoami` shows what your token may do"),
        _ => failure,
    }
}

fn from_problem(problem: Problem, status: StatusCode) -> Failure {
    let exit = match ProblemKind::from_type(&problem.kind) {
        Some(kind) => exit_of(kind),
        None => exit_of_status(status),
    };
    let failure = Failure::new(exit, problem.detail);
    match problem.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A status without a problem: no key server of ours, or something that stands in front of it. Its body is not shown.
fn unexplained(status: StatusCode, server: &ServerAddress) -> Failure {
    let what = format!("the key server \"{server}\" answered {status} without an explanation");
    Failure::new(exit_of_status(status), what)
        .hint("does a key server answer there, or a proxy in front of it?")
}

fn exit_of(kind: ProblemKind) -> Exit {
    use ProblemKind as K;
    match kind {
        K::InvalidValue
        | K::UnacceptableKey
        | K::PrivateKey
        | K::UnacceptableOption
        | K::TooLarge => Exit::Data,
        K::Unauthenticated | K::Forbidden => Exit::NoPermission,
        K::NotFound
        | K::AlreadyExists
        | K::KeyOfAnotherUser
        | K::Conflict
        | K::HostGone
        | K::EnrolmentRefused => Exit::Refused,
        K::RequestTimeout | K::TooManyRequests | K::Unavailable => Exit::TempFail,
        K::Internal => Exit::Unavailable,
        K::MalformedBody | K::UnsupportedMediaType | K::MethodNotAllowed => Exit::Protocol,
    }
}

fn exit_of_status(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::NoPermission,
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE => Exit::TempFail,
        status if status.is_server_error() => Exit::Unavailable,
        StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::GONE => Exit::Refused,
        _ => Exit::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::*;

    fn answer(status: u16, media_type: &'static str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_owned().into(),
        }
    }

    fn failure(answer: &Answer) -> Failure {
        of(answer, &"https://keys.example".parse().unwrap())
    }

    fn problem(kind: ProblemKind) -> Failure {
        let body = serde_json::to_string(&kind.with("what happened")).unwrap();
        failure(&answer(kind.status(), problem::CONTENT_TYPE, &body))
    }

    #[test]
    fn the_kind_of_a_problem_decides_the_exit_code() {
        for (kind, exit) in [
            (ProblemKind::NotFound, Exit::Refused),
            (ProblemKind::UnacceptableKey, Exit::Data),
            (ProblemKind::Forbidden, Exit::NoPermission),
            (ProblemKind::TooManyRequests, Exit::TempFail),
            (ProblemKind::Internal, Exit::Unavailable),
            (ProblemKind::MalformedBody, Exit::Protocol),
        ] {
            assert_eq!(problem(kind).exit(), exit, "{kind:?}");
        }
    }

    #[test]
    fn the_servers_own_hint_is_shown_and_ours_only_without_one() {
        assert!(
            problem(ProblemKind::Unauthenticated)
                .to_string()
                .contains("hint: get a new token")
        );
        let body =
            serde_json::to_string(&ProblemKind::Unauthenticated.with("no").hint("theirs")).unwrap();
        let shown = failure(&answer(401, problem::CONTENT_TYPE, &body)).to_string();
        assert_eq!(shown, "error: no\nhint: theirs");
    }

    #[test]
    fn a_kind_of_a_newer_server_falls_back_to_the_status() {
        let body = r#"{"type":"urn:keyroster:problem:new","title":"t","status":409,"detail":"d"}"#;
        let failure = failure(&answer(409, problem::CONTENT_TYPE, body));
        assert_eq!(
            (failure.exit(), failure.to_string().as_str()),
            (Exit::Refused, "error: d")
        );
    }

    #[test]
    fn a_page_of_html_is_not_shown() {
        let failure = failure(&answer(502, "text/html", "<h1>Bad Gateway</h1>"));
        assert_eq!(failure.exit(), Exit::Unavailable);
        assert!(!failure.to_string().contains("<h1>"));
        assert!(
            failure
                .to_string()
                .contains("502 Bad Gateway without an explanation")
        );
    }
}
