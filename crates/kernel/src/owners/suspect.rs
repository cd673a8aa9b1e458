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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It allocates for itself.
    Allocates,
    /// It allocates for others: by the nature of the module, or through functions that it exports.
    ForOthers,
    /// It names no tag, and the driver framework allocates for it under one made of its service's name.
    FrameworkDefault,
    /// It was unloaded, and what it allocated is still there.
    Unloaded,
}

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Allocates => "allocates",
            Role::ForOthers => "allocates for others",
            Role::FrameworkDefault => "framework default",
            Role::Unloaded => "unloaded",
        }
    }
}

/// How sure it is that a driver allocated what a tag holds: what its code proves, weighed against the books. The surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The tag is the only value that reaches an interface which allocates ([`Class::E1`]).
    Proven,
    /// The same through functions of the driver, or as one of several values ([`Class::E2`]).
    ProvenByWrapper,
    /// Likely by the code or by what blocks point to, and a second book agrees.
    VeryLikely,
    /// It depends on a variable, is the framework's default ([`Class::E4`]), or blocks of the tag point into the driver.
    Likely,
    /// The tag is put into an argument register, and no call was found that takes it ([`Class::E5`]).
    Probable,
    /// It only frees or maps under the tag ([`Class::E3`]).
    Uses,
    /// The tag is an operand of its code ([`Class::E6`]).
    Mention,
    /// The bytes of the tag stand in it ([`Class::E7`]).
    NoEvidence,
    /// It is proven to use the tag, but its sizes do not make the blocks; not all of its code could be read.
    Unlikely,
    /// It uses the tag, but allocates from the other pool or in other sizes.
    RuledOut,
}

impl Confidence {
    /// What the code alone says, and one step more where the books agree with it.
    pub(super) fn of(class: Class, agrees: bool) -> Confidence {
        match (class, agrees) {
            (Class::E1, _) => Confidence::Proven,
            (Class::E2, _) => Confidence::ProvenByWrapper,
            (Class::E4, true) => Confidence::VeryLikely,
            (Class::E4, false) | (Class::E5, true) => Confidence::Likely,
            (Class::E5, false) => Confidence::Probable,
            (Class::E3, _) => Confidence::Uses,
            (Class::E6, _) => Confidence::Mention,
            (Class::E7, _) => Confidence::NoEvidence,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Confidence::Proven => "proven",
            Confidence::ProvenByWrapper => "proven (via wrapper)",
            Confidence::VeryLikely => "very likely",
            Confidence::Likely => "likely",
            Confidence::Probable => "probable",
            Confidence::Uses => "uses",
            Confidence::Mention => "mention",
            Confidence::NoEvidence => "no evidence",
            Confidence::Unlikely => "unlikely",
            Confidence::RuledOut => "ruled out",
        }
    }

    /// Whether the code proves it, and nothing speaks against it.
    pub fn is_proven(self) -> bool {
        self <= Confidence::ProvenByWrapper
    }

    /// Whether a driver of which this is said must be named.
    pub fn is_suspect(self) -> bool {
        self <= Confidence::Uses
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
    /// How sure it is that it allocated what the tag holds.
    pub confidence: Confidence,
    /// Whether it can be what filled the pool.
    pub explains: Explains,
    /// Its part.
    pub role: Role,
    /// Other modules that are proven to use the same tag: a static library's, or one that drivers share.
    pub shared_with: Vec<String>,
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
        self.confidence.is_proven()
    }

    /// How sure it is, in a word.
    pub fn word(&self) -> &'static str {
        self.confidence.word()
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
