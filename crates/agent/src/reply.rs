//! From a request's frame to the frame of its answer: the same for the socket and for `lookup-once`.

use keyroster_wire::{Question, Reason, Request, Response};

use crate::core::resolver::{Answer, Verdict};

/// The frame of an answer.
#[must_use]
pub fn frame(answer: &Answer) -> Vec<u8> {
    let wire = match &answer.verdict {
        Verdict::Found(line) => keyroster_wire::Answer::Found(vec![line]),
        Verdict::None => keyroster_wire::Answer::None,
        Verdict::Unavailable => keyroster_wire::Answer::Unavailable,
    };
    let response = Response {
        answer: wire,
        epoch: answer.tag.map_or(0, |tag| tag.epoch.get()),
        revision: answer.tag.map_or(0, |tag| tag.revision.get()),
        staleness_ms: answer.age.as_ms(),
        reason: answer.reason,
    };
    encode(&response)
}

/// The frame of a response. One that can't be encoded is answered "unavailable", never in part.
#[must_use]
pub fn encode(response: &Response<'_>) -> Vec<u8> {
    let undecided = || {
        Response::unavailable(Reason::Internal)
            .encode()
            .unwrap_or_default()
    };
    response.encode().unwrap_or_else(|_| undecided())
}

/// The frame that says "unavailable" for this reason.
#[must_use]
pub fn unavailable(reason: Reason) -> Vec<u8> {
    encode(&Response::unavailable(reason))
}

/// The answer to a question about an account that can have no grants, or about principals, of which there are none.
#[must_use]
pub fn none(reason: Reason) -> Vec<u8> {
    encode(&Response {
        answer: keyroster_wire::Answer::None,
        ..Response::unavailable(reason)
    })
}

/// Answers that people should hear of are logged: refusals of the host, what could not be decided, and what is stale.
pub fn report(question: &Question<'_>, answer: &Answer) {
    let staleness_ms = answer.age.as_ms();
    let (account, fingerprint, reason) =
        (question.account, question.fingerprint, answer.reason.word());
    match (&answer.verdict, answer.reason) {
        (Verdict::Found(_), Reason::GrantedStale) => {
            tracing::warn!(account, fingerprint, staleness_ms, "stale answer");
        }
        (Verdict::Unavailable, _) => {
            tracing::warn!(account, fingerprint, staleness_ms, reason, "no answer");
        }
        (Verdict::None, Reason::HostRefused) => {
            tracing::warn!(
                account,
                fingerprint,
                "answered none: the key server refuses this host"
            );
        }
        _ => tracing::debug!(account, fingerprint, staleness_ms, reason, "answer"),
    }
}

/// Decodes a request, or gives the frame that refuses it.
///
/// # Errors
/// When it is none of this version; the frame says so.
pub fn decode(frame: &[u8]) -> Result<Request<'_>, Vec<u8>> {
    Request::decode(frame).map_err(|err| {
        tracing::warn!(error = %err, "not a request");
        unavailable(Reason::BadRequest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::freshness::Age;

    #[test]
    fn a_line_that_does_not_fit_the_protocol_is_answered_unavailable() {
        let answer = Answer {
            verdict: Verdict::Found("x".repeat(keyroster_wire::LINE_MAX + 1)),
            reason: Reason::Granted,
            tag: None,
            age: Age::Unknown,
        };
        let frame = frame(&answer);
        assert_eq!(
            Response::decode(&frame).unwrap(),
            Response::unavailable(Reason::Internal)
        );
    }

    #[test]
    fn bytes_that_are_no_request_get_an_answer_in_our_version() {
        for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"KYRQ\x02\x03\0\0\0\0"] {
            let refusal = decode(bytes).unwrap_err();
            assert_eq!(
                Response::decode(&refusal).unwrap().reason,
                Reason::BadRequest
            );
        }
    }
}
