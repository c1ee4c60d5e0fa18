//! Divides this process in two: a guard is made, and a child of that guard goes on from here.
//!
//! The guard comes into being without a copy of this process's memory. It runs in it, below this
//! stack, while we wait in the kernel; there it forks the child, which is the one copy that is
//! made, and then executes its program. The child waits until its guard lets it go. Owns the two
//! processes' first steps; must not know what the guard is told, nor what the child will do.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr::null;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

#[cfg(target_arch = "x86_64")]
use super::kernel_area::KernelArea;
use super::message::{Message, receive_message};

/// How a guard is started.
pub struct GuardCommand {
    /// Its program, by an absolute path.
    pub program: CString,
    /// Its words ahead of the child's process id, its own name first.
    pub before: Vec<CString>,
    /// Its words behind the child's process id.
    pub after: Vec<CString>,
    /// What guard and child have as these descriptors.
    pub shared: Vec<(RawFd, RawFd)>,
    /// What the guard alone has as these descriptors.
    pub own: Vec<(RawFd, RawFd)>,
    /// The guard's descriptor for its end of the pair that the child waits at.
    pub go: RawFd,
}

/// Which one of the processes goes on.
pub enum Divided {
    /// The one that was there before, with its new child.
    Before { guard: u32 },
    /// The guard's child, with what its guard has sent it.
    Child(Message),
}

/// Returns twice: here, and in the child once its guard has sent it a message. The child dies with
/// its guard, has a group of its own, and ends if no message comes. To be called by the only thread
/// of a process; `complaint` is where a guard writes that it could not start.
pub fn divide(command: &GuardCommand, complaint: &CStr) -> io::Result<Divided> {
    let (go, wait) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let mut plan = Plan::new(command, complaint, go.as_raw_fd());
    let mask = Mask::block_all();
    let divided = begin(&mut plan);
    let guard = plan.guard;
    match divided {
        0 => {
            drop(go);
            let told = become_child(guard, &wait);
            mask.restore();
            Ok(Divided::Child(told))
        }
        pid => {
            mask.restore();
            let pid = u32::try_from(pid).map_err(|_| {
                io::Error::from_raw_os_error(i32::try_from(-pid).unwrap_or(libc::EINVAL))
            })?;
            Ok(Divided::Before { guard: pid })
        }
    }
}

/// All that is needed between the two forks, made before the first: nothing may be allocated there.
struct Plan {
    program: *const c_char,
    arguments: Vec<*const c_char>,
    environment: [*const c_char; 1],
    /// The child's process id in words, which `arguments` points at.
    number: Box<[u8; NUMBER_BYTES]>,
    shared: Vec<(RawFd, RawFd)>,
    own: Vec<(RawFd, RawFd)>,
    complaint: (*const c_char, usize),
    /// The guard's process id, once there is one.
    guard: libc::pid_t,
}

impl Plan {
    fn new(command: &GuardCommand, complaint: &CStr, go: RawFd) -> Plan {
        let number = Box::new([0; NUMBER_BYTES]);
        let before = command.before.iter().map(|word| word.as_ptr());
        let after = command.after.iter().map(|word| word.as_ptr());
        let arguments = before.chain([number.as_ptr().cast()]).chain(after).chain([null()]);
        let mut own = command.own.clone();
        own.push((go, command.go));
        Plan {
            program: command.program.as_ptr(),
            arguments: arguments.collect(),
            environment: [null()],
            number,
            shared: command.shared.clone(),
            own,
            complaint: (complaint.as_ptr(), complaint.count_bytes()),
            guard: 0,
        }
    }
}

/// The process id of the guard, or an error number below zero; in the child 0.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "clone in the way of vfork")]
fn begin(plan: &mut Plan) -> i64 {
    let area = KernelArea::of_this_thread();
    let mut answer = libc::SYS_clone;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the guard runs in our memory while the kernel keeps us, the only thread, waiting. It
    // stays within `between`, on the part of the stack below ours, until it executes or ends; only
    // its fork comes back from there, and that one has a memory of its own. So in each memory this
    // block is left once, with the stack above as it was. `plan` is ours alone, and outlives it.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, r12",
            "call {between}",
            "2:",
            between = sym between,
            inout("rax") answer,
            in("rdi") i64::from(flags),
            in("rsi") 0,
            in("rdx") 0,
            in("r10") 0,
            in("r8") 0,
            in("r12") std::ptr::from_mut(plan),
            clobber_abi("C"),
        );
    }
    if answer == 0 {
        area.restore();
    }
    answer
}

/// The process id of the guard, or an error number below zero; in the child 0. By a plain fork: the
/// same, for a copy of the memory more.
#[cfg(not(target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "fork")]
fn begin(plan: &mut Plan) -> i64 {
    // SAFETY: this process has a single thread, so the child's memory is in a consistent state.
    match unsafe { libc::fork() } {
        0 => between(plan),
        -1 => -i64::from(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)),
        pid => i64::from(pid),
    }
}

/// The guard's way from its first step to its program. Returns 0 in the child, and never else.
#[expect(unsafe_code, reason = "dup2, fork, execve, _exit")]
extern "C" fn between(plan: &mut Plan) -> i64 {
    // SAFETY: plain calls of the kernel, on descriptors and texts that the plan's maker holds. The
    // fork is made while the process has a single thread that runs.
    unsafe {
        plan.guard = libc::getpid();
        if !place(&plan.shared) {
            give_up(plan);
        }
        let child = libc::fork();
        if child == 0 {
            return 0;
        }
        if child < 0 {
            give_up(plan);
        }
        write_number(child.unsigned_abs(), &mut plan.number);
        for (from, _) in &mut plan.own {
            // Above all that is placed, so that nothing is overwritten before it is moved.
            *from = libc::fcntl(*from, libc::F_DUPFD_CLOEXEC, ABOVE);
        }
        if place(&plan.own) {
            libc::execve(plan.program, plan.arguments.as_ptr(), plan.environment.as_ptr());
        }
        give_up(plan)
    }
}

#[expect(unsafe_code, reason = "dup2")]
fn place(descriptors: &[(RawFd, RawFd)]) -> bool {
    // SAFETY: what was at the places in this process is given up on purpose.
    descriptors.iter().all(|(from, to)| unsafe { libc::dup2(*from, *to) } >= 0)
}

/// Decimal, with a zero byte behind it.
fn write_number(mut number: u32, into: &mut [u8; NUMBER_BYTES]) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    for digit in into.iter_mut().take(digits).rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[expect(unsafe_code, reason = "write, _exit")]
fn give_up(plan: &Plan) -> ! {
    let (text, bytes) = plan.complaint;
    // SAFETY: a text of that length; nothing that belongs to the process before is run.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.cast(), bytes);
        libc::_exit(EXIT_DIVIDE)
    }
}

#[expect(unsafe_code, reason = "prctl, _exit")]
fn become_child(guard: libc::pid_t, wait: &OwnedFd) -> Message {
    let alone = || -> ! {
        // SAFETY: ends the child without running anything that belongs to the process before.
        unsafe { libc::_exit(EXIT_DIVIDE) }
    };
    // SAFETY: each takes numbers only.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // The guard may have died before the kernel was told to watch it.
        if libc::getppid() != guard {
            alone();
        }
        libc::setpgid(0, 0);
    }
    loop {
        match receive_message(wait.as_fd()) {
            Ok(message) if !message.0.is_empty() => return message,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => alone(),
        }
    }
}

/// The calling thread's signal mask, as it was.
struct Mask(libc::sigset_t);

impl Mask {
    /// No handler must run in a guard that still has this process's memory.
    #[expect(unsafe_code, reason = "pthread_sigmask")]
    fn block_all() -> Mask {
        let mut all = std::mem::MaybeUninit::uninit();
        let mut before = std::mem::MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the first, and the call, which cannot fail, the second.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Mask(before.assume_init())
        }
    }

    #[expect(unsafe_code, reason = "pthread_sigmask")]
    fn restore(&self) {
        // SAFETY: a mask that the thread had before.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut());
        };
    }
}

/// Room for every process id and a zero byte.
const NUMBER_BYTES: usize = 12;
const ABOVE: c_int = 10;
/// A guard that could not start, or a child that lost its guard before it was told anything.
const EXIT_DIVIDE: c_int = 5;
