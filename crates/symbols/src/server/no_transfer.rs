//! Stands in for the network in a program that was built without it.

use super::{Failure, Terms};
use std::sync::atomic::AtomicBool;

/// Nothing.
pub struct Line;

/// What becomes of a file that comes; see the module with the network.
#[expect(dead_code, reason = "without the network no file comes")]
pub struct Receiver<'a> {
    /// Looks at the first bytes.
    pub check: &'a super::Check,
    /// Takes the bytes.
    pub write: &'a mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    /// Is told how many of how many bytes are here.
    pub progress: &'a mut dyn FnMut(u64, u64),
}

impl Line {
    /// Nothing.
    pub fn new(_: &Terms) -> Line {
        Line
    }

    /// Refuses.
    pub fn get(
        &self,
        _: &str,
        _: &Terms,
        _: &AtomicBool,
        _: &mut Receiver,
    ) -> Result<u64, Failure> {
        Err(Failure::Server(
            "this rkd was built without the feature fetch".into(),
        ))
    }
}
