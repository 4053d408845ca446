//! One host, about to meet a fault: what a row of the table arranges things on.

use std::any::Any;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyroster_api::snapshot::Snapshot;
use keyroster_testkit::{
    Behaviour, CertificateKind, ClientIdentity, Failure, FakeKeyServer, Program, Result, RootDir,
    Running, until,
};

use crate::cell::{Held, Mode};
use crate::documents::{self, serving, sign};
use crate::host::{self, Clocks};
use crate::listeners;
use crate::world::{World, now};

/// A host with its state, and what surrounds it. Dropped, everything that it started is ended and its files are gone.
pub(crate) struct Stage<'a> {
    pub(crate) world: &'a World,
    pub(crate) mode: Mode,
    pub(crate) held: Held,
    clocks: Clocks,
    url: String,
    wait_s: u32,
    /// Lines of a shell that then becomes the host agent.
    limits: Vec<&'static str>,
    /// A process in the mount namespace of the host agent; none when that is the machine's own.
    elsewhere: Option<Running>,
    variables: Vec<(&'static str, String)>,
    running: Option<Running>,
    kept: Vec<Box<dyn Any + Send>>,
    dir: RootDir,
}

impl<'a> Stage<'a> {
    /// An enrolled host that holds what it should, whose key server is down.
    pub(crate) fn new(world: &'a World, mode: Mode, held: Held) -> Result<Self> {
        let dir = RootDir::named("keyroster-test-fault")?;
        for (name, mode) in [(RUN, 0o755), (STATE, 0o700), (DIRECT_STATE, 0o700)] {
            world.agent.own(&dir.dir(name, mode)?)?;
        }
        let stage = Self {
            world,
            mode,
            held,
            clocks: Clocks::default(),
            url: format!("https://{}", listeners::nobody()?),
            wait_s: 0,
            limits: Vec::new(),
            elsewhere: None,
            variables: Vec::new(),
            running: None,
            kept: Vec::new(),
            dir,
        };
        stage.write_state(&world.client)?;
        Ok(stage)
    }

    fn write_state(&self, client: &ClientIdentity) -> Result {
        let now_s = self.now_s()?;
        let mut snapshot = documents::held(self.world, self.mode, self.held, now_s)?;
        if self.clocks.ahead_s > 0 {
            documents::end_within(&mut snapshot, now_s + self.clocks.ahead_s / 2);
        }
        for path in self.states() {
            host::enrol(&path, self.world, client)?;
            host::hold(&path, self.world, self.held, &snapshot, self.clocks)?;
        }
        Ok(())
    }

    /// Sets the machine's clocks, as seen from what is on the disk.
    pub(crate) fn set_clocks(&mut self, clocks: Clocks) -> Result {
        self.clocks = clocks;
        self.write_state(&self.world.client)
    }

    /// Gives the host this certificate.
    pub(crate) fn show(&mut self, client: &ClientIdentity) -> Result {
        self.write_state(client)
    }

    /// The second that it is for everybody but the host, whose clock may be wrong.
    pub(crate) fn now_s(&self) -> Result<i64> {
        Ok(now()?.wall_s() - self.clocks.ahead_s)
    }

    /// Sends the host to this key server.
    pub(crate) fn ask_at(&mut self, address: SocketAddr) {
        self.url = format!("https://{address}");
    }

    /// Sends the host to the key server of this name.
    pub(crate) fn ask_for(&mut self, name: &str, port: u16) {
        self.url = format!("https://{name}:{port}");
    }

    /// Keeps something for as long as the stage is there.
    pub(crate) fn keep(&mut self, thing: impl Any + Send) {
        self.kept.push(Box::new(thing));
    }

    /// Starts a key server that does this with each request, and sends the host to it.
    pub(crate) fn serve(&mut self, behaviour: Behaviour) -> Result<SocketAddr> {
        self.serve_with(CertificateKind::Good, behaviour)
    }

    /// The same, with a certificate of this kind.
    pub(crate) fn serve_with(
        &mut self,
        kind: CertificateKind,
        behaviour: Behaviour,
    ) -> Result<SocketAddr> {
        let server = FakeKeyServer::start(&self.world.ca, kind, behaviour)?;
        let address = server.address();
        self.ask_at(address);
        self.keep(server);
        Ok(address)
    }

    /// Starts a key server that chooses by the request's head, and sends the host to it.
    pub(crate) fn serve_by(
        &mut self,
        choose: impl Fn(&str) -> Behaviour + Send + Sync + 'static,
    ) -> Result {
        let identity = self.world.ca.issue(CertificateKind::Good)?;
        let server = FakeKeyServer::with_identity(identity, choose)?;
        self.ask_at(server.address());
        self.keep(server);
        Ok(())
    }

    /// The answer of a sound key server: a newer snapshot, in which one key is revoked.
    pub(crate) fn sound(&self) -> Result<Behaviour> {
        let newer = documents::newer(self.world, self.mode, self.now_s()?)?;
        self.vouched(&newer, serving(sign(&self.world.signer, &newer)?))
    }

    /// The same, with so many other keys that it is larger than what a full disk may have left.
    pub(crate) fn sound_and_large(&self) -> Result<Behaviour> {
        let mut newer = documents::newer(self.world, self.mode, self.now_s()?)?;
        documents::crowd(&mut newer, LARGE)?;
        self.vouched(&newer, serving(sign(&self.world.signer, &newer)?))
    }

    /// This answer, with the heartbeats of a key server that is at this snapshot.
    pub(crate) fn vouched(&self, snapshot: &Snapshot, answer: Behaviour) -> Result<Behaviour> {
        Ok(answer.vouched(documents::voucher(snapshot, self.now_s()?)?))
    }

    /// 200 with these headers and this body, and with the heartbeats of a snapshot that would let a stranger in.
    pub(crate) fn serve_whole(&mut self, mut headers: Vec<String>, body: Vec<u8>) -> Result {
        headers.push(documents::content_type());
        let status = 200;
        let answer = Behaviour::Answer {
            status,
            headers,
            body,
        };
        let answer = self.vouched(&self.poisoned(|_| {})?, answer)?;
        self.serve(answer).map(drop)
    }

    /// A snapshot that lets a stranger in, with whatever makes it unfit for use.
    pub(crate) fn poisoned(&self, spoil: impl FnOnce(&mut Snapshot)) -> Result<Snapshot> {
        let mut snapshot = documents::poisoned(self.world, self.mode, self.now_s()?)?;
        spoil(&mut snapshot);
        Ok(snapshot)
    }

    /// The answer with that, properly signed.
    pub(crate) fn poison(&self, spoil: impl FnOnce(&mut Snapshot)) -> Result<Behaviour> {
        let poisoned = self.poisoned(spoil)?;
        self.vouched(&poisoned, serving(sign(&self.world.signer, &poisoned)?))
    }

    /// Lets the key server hold questions for this long.
    pub(crate) fn let_wait(&mut self, seconds: u32) {
        self.wait_s = seconds;
    }

    /// Limits the host agent's process, in a shell's words.
    pub(crate) fn limit(&mut self, script: &'static str) {
        self.limits.push(script);
    }

    /// Runs a shell's script as root in a mount namespace that the host agent shares and nobody else: what is mounted there
    /// is gone with the stage.
    pub(crate) fn apart(&mut self, script: &str) -> Result {
        if self.elsewhere.is_none() {
            let mut holder = Program::at(Path::new(UNSHARE))
                .args(["--mount", SHELL, "-c", "echo apart; exec sleep 600"])
                .spawn()?;
            holder.wait_for_line("apart")?;
            self.elsewhere = Some(holder);
        }
        self.entering(SHELL)
            .args(["-e", "-c", script])
            .finish()?
            .success("a script in a mount namespace")
            .map(drop)
    }

    /// A program in the host agent's mount namespace.
    fn entering(&self, program: &str) -> Program {
        match &self.elsewhere {
            None => Program::at(Path::new(program)),
            Some(holder) => Program::at(Path::new(NSENTER))
                .args(["--mount", "--target", &holder.pid().to_string()])
                .arg(program),
        }
    }

    /// Whether the host agent's process is not like any other's.
    pub(crate) fn is_apart(&self) -> bool {
        self.elsewhere.is_some() || !self.limits.is_empty()
    }

    /// Takes away every server that was started.
    pub(crate) fn lose_server(&mut self) {
        self.kept.clear();
    }

    /// Sets a variable of the host agent's environment.
    pub(crate) fn set_variable(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    /// The directory of the host's files.
    pub(crate) fn dir(&self) -> &RootDir {
        &self.dir
    }

    /// The daemon's state directory, and that of `lookup-once`.
    pub(crate) fn states(&self) -> [PathBuf; 2] {
        [STATE, DIRECT_STATE].map(|name| self.dir.path().join(name))
    }

    /// The daemon's state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join(STATE)
    }

    /// Where the host agent answers.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join(RUN).join("agent.sock")
    }

    /// The settings for `lookup-once`, which has a state directory of its own.
    pub(crate) fn direct_config(&self) -> Result<PathBuf> {
        self.write_config("direct.toml", DIRECT_STATE)
    }

    fn write_config(&self, name: &str, state: &str) -> Result<PathBuf> {
        let path = self.dir.path().display();
        let text = format!(
            "server = \"{}\"\nstate-dir = \"{path}/{state}\"\nsocket = \"{}\"\n\
             poll-interval-seconds = 3600\nwait-seconds = {}\nlog = \"stderr\"\n",
            self.url,
            self.socket().display(),
            self.wait_s
        );
        self.dir.file(name, text, 0o644)
    }

    /// Whether `lookup-once` has kept what the key server says.
    pub(crate) fn has_heard_directly(&self) -> Result<bool> {
        host::has_heard(&self.dir.path().join(DIRECT_STATE))
    }

    /// Starts the host agent, and waits until it answers or has ended.
    pub(crate) fn start(&mut self) -> Result {
        let config = self.write_config("agent.toml", STATE)?;
        let mut running = self.program(&config).spawn()?;
        let socket = self.socket();
        until("the host agent's socket", START_LIMIT, || {
            Ok((socket.exists() || !running.is_running()).then_some(()))
        })?;
        self.running = Some(running);
        Ok(())
    }

    fn program(&self, config: &Path) -> Program {
        let agent = &self.world.agent;
        let mut program = match self.is_apart() {
            false => Program::at(&self.world.agent_program).user(agent),
            true => {
                let script = format!(
                    "{}\nexec setpriv --reuid={} --regid={} --clear-groups -- \"$@\"",
                    self.limits.join("\n"),
                    agent.uid,
                    agent.gid
                );
                self.entering(SHELL)
                    .args(["-c", &script, "sh"])
                    .arg(&self.world.agent_program)
            }
        };
        for (name, value) in &self.variables {
            program = program.env(name, value);
        }
        program.args(["run", "--config"]).arg(config)
    }

    /// The host agent.
    pub(crate) fn agent(&mut self) -> Result<&mut Running> {
        let running = self.running.as_mut();
        running.ok_or_else(|| Failure::new("the host agent was not started"))
    }

    /// Lets a max staleness of one second pass: the one wait in which time itself is what is needed.
    pub(crate) fn rest_until_stale(&self) -> Result {
        let begun = Instant::now();
        until("max staleness to pass", STALE_AFTER * 10, || {
            Ok((begun.elapsed() >= STALE_AFTER).then_some(()))
        })
    }

    /// Ends the host agent as a crash would, and starts it again.
    pub(crate) fn restart(&mut self) -> Result {
        self.agent()?.kill()?;
        let _ = std::fs::remove_file(self.socket());
        self.start()
    }
}

const RUN: &str = "run";
const STATE: &str = "state";
const DIRECT_STATE: &str = "direct-state";
/// Keys of a snapshot that takes hundreds of kilobytes.
const LARGE: u32 = 1000;
const SHELL: &str = "/bin/sh";
const UNSHARE: &str = "/usr/bin/unshare";
const NSENTER: &str = "/usr/bin/nsenter";
/// More than the shortest max staleness that there is.
const STALE_AFTER: Duration = Duration::from_millis(1500);
/// The longest that the host agent may take to listen: what it does before is reading the disk.
const START_LIMIT: Duration = Duration::from_secs(30);
