//! A driver that may own a tag, and what speaks for and against it.

use super::agents::{self, Importers};
use super::readings::Origin;
use crate::Module;
use rkd_dump::addr::Virt;
use rkd_pooltags::api::Pool;
use rkd_pooltags::{Class, Machine, Site};

/// Bytes of the longest instruction of any machine.
pub(super) const LONGEST: u32 = 16;

/// Whether a driver's sites can be what filled the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Explains {
    /// One of them allocates from the pool in which the tag holds most.
    Yes,
    /// The pool is chosen at run time, or the dump does not say where the tag holds most.
    Unknown,
    /// All of them allocate from the other pool.
    No,
}

/// What part a driver plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It allocates for itself.
    Owner,
    /// Other modules are proven to use the same tag: a static library's, or one that drivers share.
    Shared,
    /// It allocates for others: by the nature of the module, or through functions that it exports.
    Agent,
}

impl Role {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Shared => "shared",
            Role::Agent => "agent",
        }
    }
}

/// An instruction (or data) that proves something, as it lies in the loaded image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Its address.
    pub va: Virt,
    /// Its bytes and some behind it; empty when they are neither in the dump nor in a file.
    pub bytes: Vec<u8>,
    /// Whether it is the call.
    pub is_call: bool,
    /// Whether it is data: a constant that code reads, an entry of a table.
    pub is_data: bool,
}

/// A site where the driver names the tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What the analysis says of it.
    pub site: Site,
    /// How strong it is.
    pub class: Class,
    /// What proves it, the call last.
    pub proof: Vec<Instruction>,
}

/// A driver that may own the tag.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// The module.
    pub module: Module,
    /// Its processor.
    pub arch: Machine,
    /// The strongest class of its claims.
    pub class: Class,
    /// Whether it can be what filled the pool.
    pub explains: Explains,
    /// Its part.
    pub role: Role,
    /// Sites, those that explain the pool first, then by strength.
    pub claims: Vec<Claim>,
    /// Why the word is what it is.
    pub reason: String,
    /// What else must be known.
    pub remarks: Vec<String>,
    /// Exported functions through which others allocate under the tag.
    pub exported: Vec<String>,
    /// Modules that import them.
    pub importers: Importers,
    /// Where its code was read.
    pub origin: Origin,
}

impl Suspect {
    /// Whether the code proves that it allocates under the tag, and nothing speaks against it.
    pub fn is_proven(&self) -> bool {
        self.class <= Class::E2 && self.explains != Explains::No
    }

    /// How sure it is: the word of the class, unless the pool rules the driver out.
    pub fn word(&self) -> &'static str {
        match self.explains {
            Explains::No => "ruled out",
            _ => self.class.word(),
        }
    }

    /// The pool that all its claims allocate from, if it is one.
    pub fn pool(&self) -> Option<Pool> {
        let mut pools = self.claims.iter().map(|claim| claim.site.pool_kind);
        let first = pools.next()??;
        pools.all(|pool| pool == Some(first)).then_some(first)
    }

    /// On whose behalf it allocates, where that is its business.
    pub fn service(&self) -> Option<&'static str> {
        agents::service(&self.module.name)
    }

    /// The better suspect comes first.
    pub(super) fn rank(&self) -> (bool, Class, Explains, std::cmp::Reverse<usize>, String) {
        (
            self.explains == Explains::No,
            self.class,
            self.explains,
            std::cmp::Reverse(self.claims.len()),
            self.module.name.to_ascii_lowercase(),
        )
    }
}
