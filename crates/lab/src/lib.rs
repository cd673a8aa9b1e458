#![doc = include_str!("../README.md")]
#![warn(unreachable_pub)]

mod code;
pub mod files;
mod image;
mod make;
mod memory;
mod paging;
mod payload;
mod plan;
mod ram;
mod random;
mod scenarios;
mod stock;
mod version;
mod windows;

pub use files::Kind;
pub use make::{ExtraDrivers, Made, Options, driver_files, make, make_file, snapshot};
pub use memory::Memory;
pub use paging::Access;
pub use payload::{Payload, PayloadRange};
pub use ram::FrameRun;
pub use scenarios::{Answer, Culprit, Find, Scenario};

/// All scenarios, the easiest first.
pub fn scenarios() -> &'static [Scenario] {
    scenarios::all()
}

/// The scenario of this name.
pub fn scenario(name: &str) -> Option<&'static Scenario> {
    scenarios().iter().find(|scenario| scenario.name == name)
}
