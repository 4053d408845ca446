//! The key server answers, but not with a snapshot.

use keyroster_testkit::{Behaviour, Result};

use crate::documents::sign;
use crate::rules::Effect::{Refused, Undecided};
use crate::stage::Stage;
use crate::table::Fault;

pub(super) fn rows() -> Vec<Fault> {
    vec![
        Fault::met_by_all("redirect to the same host", Undecided, |stage| {
            let address = stage.serve(Behaviour::Silent)?;
            redirect(stage, &format!("https://{address}/v1/host/snapshot"))
        }),
        Fault::met_by_all("redirect to another host", Undecided, |stage| {
            let poison = stage.poison(|_| {})?;
            let port = stage.serve(poison)?.port();
            redirect(stage, &format!("https://localhost:{port}/v1/host/snapshot"))
        })
        .how("where a snapshot waits that lets a stranger in"),
        Fault::met_by_all("redirect to http", Undecided, |stage| {
            redirect(stage, "http://127.0.0.1/v1/host/snapshot")
        }),
        Fault::met_by_all("500", Undecided, |stage| status(stage, 500)),
        Fault::met_by_all("502", Undecided, |stage| status(stage, 502)),
        Fault::met_by_all("503", Undecided, |stage| status(stage, 503)),
        Fault::met_by_all("429 with a huge Retry-After", Undecided, |stage| {
            let behaviour = Behaviour::Answer {
                status: 429,
                headers: vec!["retry-after: 99999999999".to_owned()],
                body: Vec::new(),
            };
            stage.serve(behaviour).map(drop)
        }),
        Fault::met_by_all("401", Refused, |stage| status(stage, 401)),
        Fault::met_by_all("403", Refused, |stage| status(stage, 403)),
        Fault::met_by_all("404", Refused, |stage| status(stage, 404)),
        Fault::met_by_all("410", Refused, |stage| status(stage, 410)),
        Fault::met_by_all("HTML with 200", Undecided, |stage| {
            stage.serve(Behaviour::Html).map(drop)
        }),
        Fault::met_by_all("hangs up on the request", Undecided, |stage| {
            stage.serve(Behaviour::HangUp).map(drop)
        }),
        Fault::met_by_all("not HTTP", Undecided, |stage| {
            stage.serve(Behaviour::Garbage).map(drop)
        }),
        Fault::met_by_all("truncated body", Undecided, |stage| {
            let body = sign(&stage.world.signer, &stage.poisoned(|_| {})?)?;
            stage.serve(Behaviour::Truncated(body)).map(drop)
        })
        .how("a whole snapshot that lets a stranger in, and more announced"),
        Fault::met_by_all("200 with no body", Undecided, |stage| {
            stage.serve_whole(Vec::new(), Vec::new())
        }),
    ]
}

fn status(stage: &mut Stage<'_>, status: u16) -> Result {
    stage.serve(Behaviour::status(status)).map(drop)
}

fn redirect(stage: &mut Stage<'_>, url: &str) -> Result {
    stage.serve(Behaviour::Redirect(url.to_owned())).map(drop)
}
