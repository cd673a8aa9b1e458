//! Symbol stores: folders in which every build of every file has a place of its own, named by its PDB, GUID and age. Where a
//! file may lie in one, what a file is, and how a file gets in without ever being half there.

pub(crate) mod content;
mod error;
mod filing;
pub mod layout;
pub(crate) mod msf;
mod pointer;

pub use crate::cabinet::CabinetError;
pub use content::Content;
pub use error::StoreError;
pub use filing::file_any;
pub(crate) use filing::{Incoming, file_copy};
pub use msf::MsfError;
pub use pointer::Pointer;
