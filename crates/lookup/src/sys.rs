//! The system calls that std does not offer. All of the crate's `unsafe` is here, one call to a block.

use std::ffi::c_int;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::deadline::Deadline;
use crate::exit;

/// What [`poll`] waits for.
#[derive(Clone, Copy)]
pub(crate) enum Interest {
    /// Bytes to read, or the end.
    Read,
    /// Room to write.
    Write,
}

/// The process group of the child that is running, for the watchdog; 0 when there is none.
static CHILD_GROUP: AtomicI32 = AtomicI32::new(0);

/// The connected log socket, for the watchdog; -1 when there is none.
static LOG_FD: AtomicI32 = AtomicI32::new(-1);

/// The exit code of the watchdog.
static WATCHDOG_EXIT: AtomicI32 = AtomicI32::new(exit::UNAVAILABLE as c_int);

/// What the watchdog says. `<83>` is authpriv.err.
const WATCHDOG_MESSAGE: &[u8] = b"<83>keyroster-lookup: answer=unavailable reason=watchdog";

/// What std's own start-up would do of use here: broken pipes are errors and not signals, and descriptors 0 to 2 are open.
///
/// With one of those closed, the next file to be opened would take its number, and the answer could be written into it.
pub(crate) fn start_up() -> io::Result<()> {
    // SAFETY: SIG_IGN is a valid disposition for SIGPIPE.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let entry = |fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    let mut standard = [entry(0), entry(1), entry(2)];
    // SAFETY: three valid entries, and the count says three.
    check(unsafe { libc::poll(standard.as_mut_ptr(), 3, 0) })?;
    if standard
        .iter()
        .any(|entry| entry.revents & libc::POLLNVAL != 0)
    {
        return Err(io::ErrorKind::NotConnected.into());
    }
    Ok(())
}

/// Gives up what an inherited environment could use against this process and its children: files others can read, core
/// dumps, being traced, descriptors that came along.
///
/// `no_new_privs` is left alone: it would bind the children too, and under SELinux it forbids the change of domain
/// that lets a `direct` program open a connection at all.
pub(crate) fn harden() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: umask takes any value and touches no memory.
    unsafe { libc::umask(0o077) };
    // SAFETY: `none` is a valid rlimit that outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    // SAFETY: PR_SET_DUMPABLE takes one integer; the rest is ignored.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    // SAFETY: nothing in this process has opened a descriptor above 2 yet, so none that is owned is closed. A kernel older
    // than 5.9 refuses, and sshd has then closed them itself.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// Ends the process with [`exit::UNAVAILABLE`], or what [`set_watchdog_exit`] says, after `seconds`, in whatever call it hangs, and its child with it.
///
/// A handler that exits, not the signal's default: both make sshd discard what was printed, but only an exit code reads as
/// "undecided" to somebody who looks.
pub(crate) fn arm_watchdog(seconds: u32) {
    // SAFETY: sigaction is plain data for which all zeroes are valid: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = on_alarm as extern "C" fn(c_int) as libc::sighandler_t;
    // SAFETY: `action` is initialised and its handler has the signature of a handler without SA_SIGINFO.
    unsafe { libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut()) };
    // SAFETY: a sigset of zeroes is the empty set on Linux; as the new mask it unblocks SIGALRM, which a parent may have blocked.
    let empty: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `empty` outlives the call and the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, ptr::null_mut()) };
    // SAFETY: alarm touches no memory.
    unsafe { libc::alarm(seconds) };
}

/// Ends with `code` from now on when the watchdog bites.
pub(crate) fn set_watchdog_exit(code: u8) {
    WATCHDOG_EXIT.store(c_int::from(code), Ordering::Relaxed);
}

extern "C" fn on_alarm(_signal: c_int) {
    let group = CHILD_GROUP.load(Ordering::Relaxed);
    if group > 0 {
        // SAFETY: kill is async-signal-safe; the group is that of a child that is not reaped yet.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    let log = LOG_FD.load(Ordering::Relaxed);
    if log >= 0 {
        let message: *const libc::c_void = WATCHDOG_MESSAGE.as_ptr().cast();
        // SAFETY: send is async-signal-safe, the message is static, and the descriptor is never closed.
        unsafe {
            libc::send(
                log,
                message,
                WATCHDOG_MESSAGE.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
    }
    // SAFETY: _exit is async-signal-safe and does not return.
    unsafe { libc::_exit(WATCHDOG_EXIT.load(Ordering::Relaxed)) }
}

/// Keeps the log socket open to the end of the process, and lets the watchdog use it.
pub(crate) fn lend_log_to_watchdog(socket: UnixDatagram) {
    LOG_FD.store(socket.into_raw_fd(), Ordering::Relaxed);
}

/// The user and group ids of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    /// Real, effective and saved user ids.
    pub(crate) users: [u32; 3],
    /// Real, effective and saved group ids.
    pub(crate) groups: [u32; 3],
}

/// The user and group ids of this process.
pub(crate) fn ids() -> io::Result<Ids> {
    let mut ids = Ids {
        users: [0; 3],
        groups: [0; 3],
    };
    let [real, effective, saved] = &mut ids.users;
    // SAFETY: three valid places for one uid each.
    check(unsafe { libc::getresuid(real, effective, saved) })?;
    let [real, effective, saved] = &mut ids.groups;
    // SAFETY: three valid places for one gid each.
    check(unsafe { libc::getresgid(real, effective, saved) })?;
    Ok(ids)
}

/// The supplementary groups of this process, or an error when there are more than [`GROUPS_MAX`].
pub(crate) fn supplementary_groups() -> io::Result<Vec<u32>> {
    let mut groups = vec![0; GROUPS_MAX];
    // SAFETY: the buffer has room for as many groups as the call is told.
    let count = check(unsafe { libc::getgroups(GROUPS_MAX as c_int, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or_default());
    Ok(groups)
}

/// Most supplementary groups that [`supplementary_groups`] tells apart. The caller accepts none but its own, so more are never of interest.
const GROUPS_MAX: usize = 4;

/// A stream socket connected to `path`, in non-blocking mode.
///
/// # Errors
///
/// `WouldBlock` when the listener's queue is full; everything else as connect(2) says.
pub(crate) fn connect_stream(path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket touches no memory.
    let fd = check(unsafe { libc::socket(libc::AF_UNIX, flags, 0) })?;
    // SAFETY: the kernel has just handed this descriptor to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: sockaddr_un is plain data for which all zeroes are valid.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= address.sun_path.len() {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
        *place = byte.cast_signed();
    }
    let address: *const libc::sockaddr = (&raw const address).cast();
    let length = mem::size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the address is a whole sockaddr_un, of which the path is terminated by a zero.
    check(unsafe { libc::connect(socket.as_raw_fd(), address, length) })?;
    Ok(socket)
}

/// The uid of the process that listens at the other end of a connected Unix socket.
pub(crate) fn peer_uid(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut length = mem::size_of::<libc::ucred>() as libc::socklen_t;
    let place: *mut libc::c_void = (&raw mut peer).cast();
    // SAFETY: `place` has room for `length` bytes, and SO_PEERCRED writes a ucred.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            place,
            &raw mut length,
        )
    })?;
    Ok(peer.uid)
}

/// Waits until `fd` is ready or has failed; a deadline that passes is [`io::ErrorKind::TimedOut`].
pub(crate) fn poll(fd: BorrowedFd<'_>, interest: Interest, deadline: Deadline) -> io::Result<()> {
    let events = match interest {
        Interest::Read => libc::POLLIN,
        Interest::Write => libc::POLLOUT,
    };
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    loop {
        let timeout = deadline.remaining_ms().ok_or(io::ErrorKind::TimedOut)?;
        // SAFETY: one valid entry, and the count says one.
        match check(unsafe { libc::poll(&raw mut entry, 1, timeout) }) {
            Ok(0) => {}
            Ok(_) => return Ok(()),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
}

/// Waits `milliseconds` by waiting for nothing.
pub(crate) fn pause(milliseconds: c_int) {
    // SAFETY: no entries, and the count says none.
    unsafe { libc::poll(ptr::null_mut(), 0, milliseconds) };
}

/// Writes to standard output, past std's buffer.
pub(crate) fn write_stdout(bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of one slice.
    let written = unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// Makes the children of `command` die with this process.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let hook = move || {
        // SAFETY: PR_SET_PDEATHSIG takes one integer; the rest is ignored.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
        // SAFETY: getppid touches no memory and can't fail.
        let parent_now = unsafe { libc::getppid() };
        if u32::try_from(parent_now) == Ok(parent) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    };
    // SAFETY: between fork and exec the hook makes two system calls; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(hook) };
}

/// A child's process group as the watchdog sees it, from its start until it is reaped.
pub(crate) struct GroupGuard(libc::pid_t);

impl GroupGuard {
    /// Registers the group that child `pid` leads.
    pub(crate) fn new(pid: u32) -> io::Result<Self> {
        let pid = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
        CHILD_GROUP.store(pid, Ordering::Relaxed);
        Ok(Self(pid))
    }

    /// Kills what is left of the group. To be called while its leader is not reaped: its number can't be another's till then.
    pub(crate) fn kill(&self) -> io::Result<()> {
        // SAFETY: kill touches no memory.
        check(unsafe { libc::kill(-self.0, libc::SIGKILL) }).map(drop)
    }

    /// A descriptor that is readable once the leader has ended, where the kernel has such (5.3 and later).
    pub(crate) fn exit_event(&self) -> io::Result<OwnedFd> {
        // SAFETY: pidfd_open takes two integers and touches no memory.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.0, 0) };
        let fd = check(c_int::try_from(fd).unwrap_or(-1))?;
        // SAFETY: the kernel has just handed this descriptor to nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

impl Drop for GroupGuard {
    fn drop(&mut self) {
        CHILD_GROUP.store(0, Ordering::Relaxed);
    }
}

/// The result of a system call that says "look at errno" with -1.
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
