//! The key server can't be reached, or not talked to.

use keyroster_testkit::{Behaviour, CertificateKind, Result};

use crate::dns::{NAME, NameServer, Says};
use crate::documents::{content_type, newer, sign};
use crate::listeners::{BlackHole, Listener, Then, nobody};
use crate::rules::Effect::{Decided, Undecided};
use crate::stage::Stage;
use crate::table::Fault;

pub(super) fn rows() -> Vec<Fault> {
    let mut rows = connections();
    rows.extend(names());
    rows
}

fn connections() -> Vec<Fault> {
    vec![
        Fault::met_by_all("server down", Undecided, |stage| {
            stage.ask_at(nobody()?);
            Ok(())
        })
        .how("connection refused"),
        Fault::met_by_all("black hole", Undecided, |stage| {
            let hole = BlackHole::open()?;
            stage.ask_at(hole.address);
            stage.keep(hole);
            Ok(())
        })
        .how("a listener whose queue is full: the kernel drops each SYN"),
        Fault::met_by_all("accepts and says nothing", Undecided, |stage| {
            let listener = Listener::silent()?;
            stage.ask_at(listener.address);
            stage.keep(listener);
            Ok(())
        }),
        Fault::met_by_all("TLS stalls", Undecided, |stage| cut(stage, Then::Stall))
            .how("100 bytes of the handshake, then nothing"),
        Fault::met_by_all("close in the handshake", Undecided, |stage| {
            cut(stage, Then::HangUp)
        })
        .how("100 bytes of the handshake, then the end"),
        Fault::met_by_all("no answer to the request", Undecided, |stage| {
            stage.serve(Behaviour::Silent).map(drop)
        }),
        Fault::met_by_all("one byte a second in headers", Undecided, |stage| {
            stage.serve(Behaviour::DrippingHeaders).map(drop)
        }),
        Fault::met_by_all("one byte a second in the body", Undecided, |stage| {
            stage.serve(Behaviour::Dripping).map(drop)
        }),
        Fault::met_by_daemon("half-open after idle", Decided, half_open)
            .upset(idle)
            .how("answered once and then swallowed, past max staleness: the next login asks on a new connection"),
    ]
}

fn names() -> Vec<Fault> {
    vec![
        Fault::met_by_daemon("DNS hangs", Undecided, |stage| {
            resolve(stage, Says::Nothing)
        }),
        Fault::met_by_daemon("DNS knows no such name", Undecided, |stage| {
            resolve(stage, Says::NoSuchName)
        }),
        Fault::met_by_daemon("DNS wrong", Undecided, |stage| {
            resolve(stage, Says::Loopback)
        })
        .how("the name leads to another's TLS server"),
        Fault::met_by_all("proxy variables set", Decided, |stage| {
            let proxy = Listener::silent()?;
            let url = format!("http://{}", proxy.address);
            for name in [
                "http_proxy",
                "https_proxy",
                "all_proxy",
                "HTTP_PROXY",
                "HTTPS_PROXY",
                "ALL_PROXY",
            ] {
                stage.set_variable(name, url.clone());
            }
            stage.keep(proxy);
            let sound = stage.sound()?;
            stage.serve(sound).map(drop)
        })
        .how("the proxy says nothing, and nobody asks it"),
    ]
}

/// A server that would let a stranger in, behind something that lets the start of its handshake through.
fn cut(stage: &mut Stage<'_>, then: Then) -> Result {
    let poison = stage.poison(|_| {})?;
    let behind = stage.serve(poison)?;
    let listener = Listener::before(behind, 100, then)?;
    stage.ask_at(listener.address);
    stage.keep(listener);
    Ok(())
}

fn resolve(stage: &mut Stage<'_>, says: Says) -> Result {
    let poison = stage.poison(|_| {})?;
    let port = stage.serve_with(CertificateKind::ForeignCa, poison)?.port();
    let server = NameServer::start(says)?;
    let script = server.believed(stage.dir().path())?;
    stage.apart(&script)?;
    stage.ask_for(NAME, port);
    Ok(())
}

/// A sound server whose connections go dead after the first answer.
fn half_open(stage: &mut Stage<'_>) -> Result {
    let mut newer = newer(stage.world, stage.mode, stage.now_s()?)?;
    newer.freshness.max_staleness_s = 1;
    stage.let_wait(25);
    let body = sign(&stage.world.signer, &newer)?;
    let headers = vec![content_type()];
    let answer = stage.vouched(&newer, Behaviour::HalfOpen { headers, body })?;
    stage.serve(answer).map(drop)
}

/// Until what was answered is stale: the question that the host agent has open by then is on a dead connection.
fn idle(stage: &mut Stage<'_>) -> Result {
    stage.agent()?.wait_for_line("ready")?;
    stage.rest_until_stale()
}
