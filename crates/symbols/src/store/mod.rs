//! Symbol stores: folders in which every build of every file has a place of its own, named by its PDB, GUID and age. Where a
//! file may lie in one, what a file is, and how a file gets in without ever being half there.

pub mod content;
mod error;
mod filing;
pub mod layout;
pub mod msf;
mod pointer;

pub use content::Content;
pub use error::StoreError;
pub use filing::{Incoming, file_any, file_copy};
pub use pointer::Pointer;
