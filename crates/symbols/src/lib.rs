//! NAMES: what the bytes of an image are called. PDB-derived tables (ISF), the facts carried in the binary and the images
//! themselves all become one kind of table of symbols and types; above it stands a typed view of the target's memory.
//!
//! Nothing here knows Windows beyond its file formats: which structure lies where is the business of the kernel room.

#![warn(unreachable_pub)]

pub mod builder;
pub mod cabinet;
pub mod cache;
pub mod facts;
pub mod file;
pub mod home;
pub mod id;
pub mod image_path;
pub mod isf;
mod packed;
mod panic;
pub mod path;
pub mod pdb;
pub mod pe;
pub mod server;
pub mod store;
pub mod table;
pub mod types;
pub mod view;

pub use builder::TableBuilder;
pub use facts::{Facts, builtin_facts};
pub use id::{Guid, PdbId};
pub use image_path::{FoundImage, ImagePath};
pub use path::{How, Lookup, Reach, SymbolPath, Tried};
pub use server::Servers;
pub use table::{FieldRef, Source, Symbol, SymbolInfo, SymbolKind, SymbolTable};
pub use types::{Base, BaseKind, Enum, Field, Name, Signature, Type, Udt, UdtKind};
pub use view::{Cell, Struct};
