//! A file that is cut short while it is mapped. Unix answers a touch of what is lost with SIGBUS, which would end the
//! program and with it everything that was found so far. Here the lost page becomes a page of zeros, and the mapping
//! remembers that it has one, so that every answer from then on can say so. (Windows refuses to shorten a mapped file.)

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many files are watched at once; a mapping beyond them is as fragile as it was.
const MAX_WATCHED: usize = 64;

/// What the signal handler may look at: it can take no lock.
struct WatchedRange {
    /// The first byte of the mapping; 0 for a free entry.
    start: AtomicUsize,
    /// Bytes.
    length: AtomicUsize,
    /// Whether a page was found lost.
    cut: AtomicBool,
}

static WATCHED: [WatchedRange; MAX_WATCHED] = [const {
    WatchedRange {
        start: AtomicUsize::new(0),
        length: AtomicUsize::new(0),
        cut: AtomicBool::new(false),
    }
}; MAX_WATCHED];

/// A mapping that is watched as long as the value lives.
#[derive(Debug)]
pub struct Watch(usize);

impl Watch {
    /// Watches a mapping; `None` when there is no entry left, or on a system where files cannot be cut under a mapping.
    pub(super) fn on(mapping: &[u8]) -> Option<Watch> {
        if !signal::listen() {
            return None;
        }
        let start = mapping.as_ptr() as usize;
        let free = |range: &WatchedRange| {
            range
                .start
                .compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        };
        let index = WATCHED.iter().position(free)?;
        let range = WATCHED.get(index)?;
        range.cut.store(false, Ordering::Release);
        range.length.store(mapping.len(), Ordering::Release);
        Some(Watch(index))
    }

    /// Whether something of the mapping was found lost.
    pub(super) fn is_cut(&self) -> bool {
        WATCHED
            .get(self.0)
            .is_some_and(|range| range.cut.load(Ordering::Acquire))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(range) = WATCHED.get(self.0) {
            range.length.store(0, Ordering::Release);
            range.start.store(0, Ordering::Release);
        }
    }
}

#[cfg(not(unix))]
mod signal {
    pub(super) fn listen() -> bool {
        false
    }
}

#[cfg(unix)]
#[allow(unsafe_code)]
mod signal {
    use super::{Ordering, WATCHED};
    use std::sync::OnceLock;

    /// Takes over SIGBUS, once; false when the system does not let us.
    pub(super) fn listen() -> bool {
        static TAKEN: OnceLock<bool> = OnceLock::new();
        *TAKEN.get_or_init(|| {
            // SAFETY: `action` is a whole sigaction with an empty mask, and the handler has the signature that SA_SIGINFO
            // asks for. It runs on the stack that Rust gives to each of its threads for signals.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_bus_error as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&raw mut action.sa_mask);
                libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) == 0
            }
        })
    }

    /// Puts a page of zeros where the touched page is lost, and lets the reader go on. Everything else ends the program as
    /// it would have without us.
    extern "C" fn on_bus_error(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the system passes a valid siginfo_t, and of it SIGBUS fills in the address. `mmap`, `sysconf` and
        // `signal` are calls that a handler may make; the page that is replaced lies in a mapping of ours that is watched
        // only as long as it lives, and is read-only before and after.
        unsafe {
            let at = (*info).si_addr() as usize;
            let holds = |start: usize, length: usize| start != 0 && at.wrapping_sub(start) < length;
            let range = WATCHED.iter().find(|range| {
                holds(
                    range.start.load(Ordering::Acquire),
                    range.length.load(Ordering::Acquire),
                )
            });
            let page = libc::sysconf(libc::_SC_PAGESIZE).max(1) as usize;
            let replaced = range.is_some()
                && libc::mmap(
                    (at / page * page) as *mut libc::c_void,
                    page,
                    libc::PROT_READ,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                    -1,
                    0,
                ) != libc::MAP_FAILED;
            match range {
                Some(range) if replaced => range.cut.store(true, Ordering::Release),
                _ => drop(libc::signal(libc::SIGBUS, libc::SIG_DFL)),
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use crate::map::Map;
    use std::io::Write;

    #[test]
    fn what_is_lost_reads_as_zeros_and_is_remembered() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![0x5a; 1 << 20]).unwrap();
        let map = Map::open(file.path()).unwrap();
        let sum = |map: &Map| map.bytes().iter().map(|&byte| u64::from(byte)).sum::<u64>();
        assert_eq!((sum(&map), map.is_cut()), (0x5a << 20, false));
        file.as_file().set_len(1 << 19).unwrap();
        assert_eq!((sum(&map), map.is_cut()), (0x5a << 19, true));
        let other = Map::open(file.path()).unwrap();
        assert!(!other.is_cut(), "another mapping has nothing to do with it");
    }
}
