//! Stands in for the network in a program that was built without it.

use super::{Failure, Limits};
use std::sync::atomic::AtomicBool;

/// No connections.
pub(super) struct Connections;

/// What becomes of a file that comes: the same as with the network, for the sake of the callers.
#[expect(dead_code, reason = "without the network no file comes")]
pub(super) struct Receiver<'a> {
    /// Looks at the first bytes.
    pub check: &'a super::Check,
    /// Takes the bytes.
    pub write: &'a mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    /// Is told how many of how many bytes are here.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

impl Connections {
    /// Nothing.
    pub(super) fn new(_: &Limits) -> Connections {
        Connections
    }

    /// Refuses.
    pub(super) fn get(
        &self,
        _: &str,
        _: &Limits,
        _: &AtomicBool,
        _: &mut Receiver,
    ) -> Result<u64, Failure> {
        Err(Failure::Server(
            "this rkd was built without the feature fetch".into(),
        ))
    }
}
