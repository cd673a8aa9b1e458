#![doc = include_str!("../README.md")]
#![warn(unreachable_pub)]

mod builder;
mod cabinet;
pub mod cache;
pub mod facts;
pub mod file;
pub mod home;
mod id;
mod image_path;
pub mod isf;
mod packed;
mod panic;
pub mod path;
pub mod pdb;
pub mod pe;
pub mod server;
pub mod store;
mod table;
mod types;
mod view;

pub use builder::TableBuilder;
pub use facts::{Facts, builtin_facts};
pub use id::{Guid, GuidError, PdbId};
pub use image_path::{FoundImage, ImageError, ImagePath};
pub use panic::Panicked;
pub use path::{How, Lookup, Reach, SymbolPath, Tried};
pub use server::Servers;
pub use table::{FieldRef, Source, Symbol, SymbolInfo, SymbolKind, SymbolTable};
pub use types::{Base, BaseKind, Enum, Field, Name, Signature, Type, Udt, UdtKind};
pub use view::{Cell, Struct};
