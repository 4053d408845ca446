//! The disk that a virtual machine boots from: Debian 12 with its kernel, labelled, and nothing of ours in it.
//!
//! One image serves SELinux and AppArmor, since the kernel's command line decides which of them it runs. It is made once and never
//! changed: a machine writes to a layer of its own, which goes when it ends. Labels are written with the files, so that the very first
//! boot enforces; a first boot that had to label would be one that does not.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyroster_install::{Release, System, base};
use keyroster_testkit::{Failure, Program, Result, SshKey};

/// What a machine boots from.
#[derive(Debug, Clone)]
pub struct Image {
    dir: PathBuf,
}

impl Image {
    /// The one below `store`, made when it is not there.
    pub fn below(store: &Path) -> Result<Self> {
        fs::create_dir_all(store).map_err(|error| Failure::io("make directory", store, &error))?;
        let image = Self {
            dir: store.join(name()),
        };
        let _alone = lock(&store.join("enforcing.lock"))?;
        if !image.dir.exists() {
            make(store, &image.dir)?;
        }
        Ok(image)
    }

    /// The disk.
    pub fn disk(&self) -> PathBuf {
        self.dir.join(DISK)
    }

    /// Its kernel.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join(KERNEL)
    }

    /// What the kernel starts with.
    pub fn initrd(&self) -> PathBuf {
        self.dir.join(INITRD)
    }

    /// The private key that root's `authorized_keys` in there lets in: of no use anywhere else.
    pub fn root_key(&self) -> PathBuf {
        self.dir.join(ROOT_KEY)
    }

    /// The public key of its sshd.
    pub fn host_key(&self) -> Result<String> {
        let path = self.dir.join(HOST_KEY);
        fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))
    }
}

/// What is in it decides its name: one that is to hold more is made anew.
fn name() -> String {
    let mut hasher = DefaultHasher::new();
    (PACKAGES, PREPARE, DISK_SIZE).hash(&mut hasher);
    format!("enforcing-{:016x}", hasher.finish())
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).map_err(|error| Failure::io("make", path, &error))?;
    file.lock()
        .map_err(|error| Failure::io("lock", path, &error))?;
    Ok(file)
}

fn make(store: &Path, made: &Path) -> Result {
    let tarball = base::tarball_with(store, System::Debian(Release::Debian12), &PACKAGES)?;
    let partial = Partial::new(made.with_extension("partial"))?;
    let root = partial.0.join("root");
    fs::create_dir(&root).map_err(|error| Failure::io("make directory", &root, &error))?;
    base::unpack(&tarball, &root)?;
    let key = SshKey::ed25519(&partial.0, ROOT_KEY)?;
    prepare(&root, &key)?;
    copy_first(&root.join("boot"), "vmlinuz-", &partial.0.join(KERNEL))?;
    copy_first(&root.join("boot"), "initrd.img-", &partial.0.join(INITRD))?;
    let host_key = root.join("etc/ssh/ssh_host_ed25519_key.pub");
    copy(&host_key, &partial.0.join(HOST_KEY))?;
    Program::at(Path::new("/usr/sbin/mkfs.ext4"))
        .args(["-q", "-F", "-d"])
        .arg(&root)
        .arg(partial.0.join(DISK))
        .arg(DISK_SIZE)
        .finish_within(MAKE_LIMIT)?
        .success("mkfs.ext4")?;
    fs::remove_dir_all(&root).map_err(|error| Failure::io("remove", &root, &error))?;
    fs::rename(&partial.0, made).map_err(|error| Failure::io("make", made, &error))
}

/// Runs the script in the root, which has whatever tools it needs.
fn prepare(root: &Path, key: &SshKey) -> Result {
    Program::at(Path::new("/usr/bin/unshare"))
        .args(["--mount", "/bin/sh", "-e", "-c", ENTER, PREPARE])
        .arg(root)
        .env("ROOT_KEY", key.public_line())
        .finish_within(MAKE_LIMIT)?
        .success("preparing a disk")
        .map(drop)
}

fn copy_first(dir: &Path, prefix: &str, to: &Path) -> Result {
    let entries = fs::read_dir(dir).map_err(|error| Failure::io("read", dir, &error))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let is_named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(prefix)
    };
    match paths.find(is_named) {
        Some(from) => copy(&from, to),
        None => Err(Failure::new(format!(
            "no \"{prefix}…\" in \"{}\"",
            dir.display()
        ))),
    }
}

fn copy(from: &Path, to: &Path) -> Result {
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| Failure::io("copy", from, &error))
}

/// The directory that an image is made in; gone when it did not become one.
struct Partial(PathBuf);

impl Partial {
    fn new(path: PathBuf) -> Result<Self> {
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| Failure::io("remove", &path, &error))?;
        }
        fs::create_dir(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o700)))
            .map_err(|error| Failure::io("make directory", &path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A kernel, what either system needs, and what docs/mandatory-access.md asks for before it begins.
const PACKAGES: [&str; 12] = [
    "linux-image-cloud-amd64",
    "selinux-policy-default",
    "selinux-policy-dev",
    "selinux-utils",
    "policycoreutils",
    "policycoreutils-python-utils",
    "auditd",
    "apparmor",
    "apparmor-utils",
    "libpam-systemd",
    "iproute2",
    "make",
];

/// `setfiles` writes labels through `/proc`, which goes with the mount namespace.
const ENTER: &str = r#"mount -t proc proc "$1/proc"; exec chroot "$1" /bin/sh -e -c "$0""#;

/// No route leads out of the machine: its network is the address on which it is reached and the one that the key server has.
/// `setfiles` gives every file the label that Debian's policy has for it.
const PREPARE: &str = r#"
echo web-1 >/etc/hostname
echo '127.0.0.1 localhost web-1' >/etc/hosts
echo '/dev/vda / ext4 defaults 0 1' >/etc/fstab
printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' >/etc/selinux/config
cat >/etc/systemd/network/10-only.network <<END
[Match]
Type=ether
[Network]
Address=10.0.2.15/24
LinkLocalAddressing=no
IPv6AcceptRA=no
END
systemctl enable systemd-networkd ssh auditd
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
for account in byfile deploy guest; do
    useradd --create-home --shell /bin/sh --password '*' "$account"
done
install -d -m 700 /root/.ssh
echo "$ROOT_KEY" >/root/.ssh/authorized_keys
install -d -m 700 -o byfile -g byfile /home/byfile/.ssh
echo "$ROOT_KEY" >/home/byfile/.ssh/authorized_keys
# semanage(8) asks there; the smallest Debian is without it.
echo 'tcp 6 TCP' >/etc/protocols
rm -f /.autorelabel
setfiles -F /etc/selinux/default/contexts/files/file_contexts /
"#;
const DISK_SIZE: &str = "3G";
const DISK: &str = "disk";
const KERNEL: &str = "vmlinuz";
const INITRD: &str = "initrd";
const ROOT_KEY: &str = "root-key";
const HOST_KEY: &str = "host-key.pub";
/// The longest that one step of making an image may take.
const MAKE_LIMIT: Duration = Duration::from_secs(300);
