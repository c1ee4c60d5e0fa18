//! The part of a thread's memory that the kernel keeps up to date by itself (restartable
//! sequences): which processor the thread runs on.
//!
//! The kernel forgets it where a process shares the memory of another, and a fork of such a one
//! has none either, while its C library believes that it has. Must not know who forks whom.

use std::ffi::CStr;

/// The calling thread's area, if its C library has registered one.
pub(super) struct KernelArea {
    /// An address in this thread's own memory; 0 for none.
    at: usize,
}

impl KernelArea {
    /// What the C library says of it; libraries that say nothing register nothing.
    #[expect(unsafe_code, reason = "reads the C library's own figures")]
    pub fn of_this_thread() -> KernelArea {
        let figure = |name: &CStr| {
            // SAFETY: a text that ends with a zero byte.
            let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            (!found.is_null()).then_some(found)
        };
        let area = figure(c"__rseq_offset").zip(figure(c"__rseq_size"));
        let at = area.map_or(0, |(offset, size)| {
            // SAFETY: the C library's names for two numbers of these types, which do not change.
            let (offset, size) = unsafe { (*offset.cast::<isize>(), *size.cast::<u32>()) };
            if size == 0 { 0 } else { thread_pointer().wrapping_add_signed(offset) }
        });
        KernelArea { at }
    }

    /// Has the kernel know it again, in a fork of the thread whose it was. Where that fails, the
    /// area says so, and the C library asks the kernel each time.
    #[expect(unsafe_code, reason = "rseq")]
    pub fn restore(&self) {
        if self.at == 0 {
            return;
        }
        // SAFETY: the place that the C library keeps for this, for as long as the thread lives.
        let answer = unsafe { libc::syscall(libc::SYS_rseq, self.at, AREA_BYTES, 0, SIGNATURE) };
        if answer != 0 {
            let processor = self.at as *mut i32;
            // SAFETY: the two numbers at its beginning are the processor's; nobody else reads or
            // writes them in a process with one thread.
            unsafe {
                processor.write_volatile(0);
                processor.add(1).write_volatile(NOT_REGISTERED);
            }
        }
    }
}

#[expect(unsafe_code, reason = "reads the thread pointer")]
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the first word that the thread pointer points at is the thread pointer.
    unsafe { std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly)) };
    pointer
}

const AREA_BYTES: usize = 32;
/// What the C library registers with, on this processor.
const SIGNATURE: u32 = 0x5305_3053;
const NOT_REGISTERED: i32 = -2;
