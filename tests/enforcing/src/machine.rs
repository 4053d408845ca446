//! A virtual machine: a kernel that enforces needs one of its own, since the machine outside has another or none.
//!
//! It is reached through its sshd and no other way, as an admin's host is: whoever locks that out fails every step that follows. One
//! connection of root's stays open from the boot on, and commands go through it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyroster_testkit::{
    Failure, Finished, Program, Result, RootDir, Running, Ssh, free_port, until,
};

use crate::control::Control;
use crate::image::Image;

/// A machine that runs. Dropped, it is switched off, and what it wrote is gone.
#[derive(Debug)]
pub struct Machine {
    root: Option<Running>,
    qemu: Running,
    image: Image,
    port: u16,
    dir: RootDir,
    known_hosts: PathBuf,
}

impl Machine {
    /// Boots one, and waits until root can log in.
    pub fn boot(image: &Image, control: Control) -> Result<Self> {
        let dir = RootDir::named("keyroster-machine")?;
        let port = free_port()?;
        let line = format!("[127.0.0.1]:{port} {}", image.host_key()?);
        let mut machine = Self {
            root: None,
            qemu: start(image, control, port)?,
            image: image.clone(),
            port,
            known_hosts: dir.file("known_hosts", line, 0o644)?,
            dir,
        };
        machine.connect(None)?;
        Ok(machine)
    }

    /// Restarts it, and waits until root can log in again.
    pub fn reboot(&mut self) -> Result {
        let before = self.boot_id()?;
        // The connection ends under the command.
        let _ = self.run("systemctl reboot")?;
        self.root = None;
        self.connect(Some(&before))
    }

    /// A login to one of its accounts.
    pub fn ssh(&self, account: &str) -> Ssh {
        Ssh::at(self.port, &self.known_hosts, account)
    }

    /// A login that a file in a home directory lets in; as root and as the account whose file has the same key.
    pub fn by_file(&self, account: &str) -> Ssh {
        self.ssh(account).identity(&self.image.root_key())
    }

    /// Runs a shell script in it, as root.
    pub fn run(&self, script: &str) -> Result<Finished> {
        Program::from(self.open_connection().command(&strict(script)).build())
            .finish_within(RUN_LIMIT)
    }

    /// Runs a shell script that must succeed; what it printed.
    pub fn must(&self, script: &str) -> Result<String> {
        self.run(script)?.success(&format!("`{script}`"))
    }

    /// Starts a shell script and goes on.
    pub fn begin(&self, script: &str) -> Result<Running> {
        self.open_connection().command(&strict(script)).open()
    }

    /// Writes a file of root's. Its directory decides its label, as when an admin writes it.
    pub fn write(&self, path: &str, text: &str, mode: u32) -> Result {
        if text.contains(END) {
            return Err(Failure::new(format!("a text with \"{END}\" in it")));
        }
        let line_end = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        self.must(&format!(
            "umask 077; cat >'{path}' <<'{END}'\n{text}{line_end}{END}\nchmod {mode:o} '{path}'"
        ))
        .map(drop)
    }

    /// Copies a file into root's home, and returns its path there.
    pub fn bring(&self, file: &Path) -> Result<String> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let inside = format!("/root/{name}");
        Program::at(Path::new("/usr/bin/scp"))
            .args(["-q", "-F", "none", "-o"])
            .arg(format!("ControlPath={}", self.control_path().display()))
            .arg(file)
            .arg(format!("root@127.0.0.1:{inside}"))
            .finish_within(RUN_LIMIT)?
            .success("scp")?;
        Ok(inside)
    }

    /// What its kernel and its first process have said on the console.
    pub fn console(&self) -> String {
        self.qemu.output()
    }

    fn boot_id(&self) -> Result<String> {
        self.must(BOOT_ID)
    }

    /// Which boot a new login of root's finds. An ssh that gives up, or is given up, is none as well: an emulated machine may take longer
    /// than either is ready to wait.
    fn boot_that_lets_root_in(&self) -> Option<String> {
        let asked = self.by_root().command(BOOT_ID).run().ok()?;
        asked.status.success().then_some(asked.stdout)
    }

    fn by_root(&self) -> Ssh {
        self.by_file("root")
    }

    /// Waits for another boot than `before`: a machine that is going down may let in for a while, and then not, and then again.
    fn connect(&mut self, before: Option<&str>) -> Result {
        let asked = until("a machine to boot", BOOT_LIMIT, || {
            if !self.qemu.is_running() {
                return Err(Failure::new("the machine has ended"));
            }
            let boot = self.boot_that_lets_root_in();
            Ok(boot.filter(|boot| Some(boot.as_str()) != before))
        });
        asked.map_err(|failure| Failure::new(format!("{failure}\n{}", self.console())))?;
        let path = self.control_path();
        // The one before was killed and has left its socket, beside which ssh would not put another.
        if path.exists() {
            fs::remove_file(&path).map_err(|error| Failure::io("remove", &path, &error))?;
        }
        let control = format!("ControlPath={}", path.display());
        let login = self.by_root().option(&control).option("ControlMaster=yes");
        let mut root = login.command("echo open; exec sleep infinity").open()?;
        root.wait_for_line("open")?;
        self.root = Some(root);
        Ok(())
    }

    fn open_connection(&self) -> Ssh {
        let control = format!("ControlPath={}", self.control_path().display());
        self.ssh("root").option(&control).option("ControlMaster=no")
    }

    fn control_path(&self) -> PathBuf {
        self.dir.path().join("connection")
    }
}

fn strict(script: &str) -> String {
    format!("set -e\nexport DEBIAN_FRONTEND=noninteractive\n{script}")
}

/// With the processor's own virtualisation where that works, and without where it doesn't. Whether it does shows the machine's kernel, by
/// saying something: there are hosts that open `/dev/kvm` for anybody, and then run kernels of one sort alone.
fn start(image: &Image, control: Control, port: u16) -> Result<Running> {
    let mut fast = qemu(image, control, port, Accelerator::Processor).spawn()?;
    let spoke = until("a kernel to say something", KVM_LIMIT, || {
        let ended = !fast.is_running();
        let speaks = fast.output().contains("Linux version");
        Ok((ended || speaks).then_some(speaks))
    });
    match spoke {
        Ok(true) => Ok(fast),
        Ok(false) | Err(_) => {
            fast.kill()?;
            qemu(image, control, port, Accelerator::Emulation).spawn()
        }
    }
}

/// What runs the machine's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accelerator {
    /// The machine outside, through KVM.
    Processor,
    /// qemu itself.
    Emulation,
}

impl Accelerator {
    fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Processor => ["-accel", "kvm", "-cpu", "host"],
            Self::Emulation => ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"],
        }
    }
}

/// Through `setpriv`, so that a machine ends even when whoever started it is killed.
fn qemu(image: &Image, control: Control, port: u16, accelerator: Accelerator) -> Program {
    let reached_at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let security = control.name();
    Program::at(Path::new("/usr/bin/setpriv"))
        .args(["--pdeathsig", "KILL", "--", "/usr/bin/qemu-system-x86_64"])
        .args(["-no-user-config", "-nodefaults", "-display", "none"])
        .args(["-machine", "q35", "-smp", "2", "-m", "1536"])
        .args(accelerator.arguments())
        .args(["-serial", "stdio", "-device", "virtio-rng-pci"])
        .arg("-drive")
        .arg(format!(
            "file={},format=raw,if=virtio,snapshot=on",
            image.disk().display()
        ))
        .arg("-netdev")
        .arg(format!("user,id=net,hostfwd=tcp:{reached_at}-:22"))
        .args(["-device", "virtio-net-pci,netdev=net"])
        .arg("-kernel")
        .arg(image.kernel())
        .arg("-initrd")
        .arg(image.initrd())
        .arg("-append")
        .arg(format!(
            "root=/dev/vda rw console=ttyS0 security={security} audit=1 audit_backlog_limit=8192"
        ))
        .own_group()
}

/// Where the machine reaches the loopback of the machine outside: qemu's own address in its network.
pub const OUTSIDE: &str = "10.0.2.2";
const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";
const END: &str = "KEYROSTER-END";
/// The longest that a kernel is waited for that the processor itself runs.
const KVM_LIMIT: Duration = Duration::from_secs(20);
/// The longest that a boot may take, also where the processor is emulated.
const BOOT_LIMIT: Duration = Duration::from_secs(600);
/// The longest that one command may take: the longest of them link a whole policy.
const RUN_LIMIT: Duration = Duration::from_secs(600);
