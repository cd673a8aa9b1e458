//! Collects what a source of symbols says, and puts it into the order in which it is looked up.

use super::PdbId;
use super::packed::{Head, Writer};
use super::table::{Source, SymbolInfo, SymbolTable};
use super::types::{Enum, Type, Udt};
use rkd_dump::addr::Rva;
use std::sync::Arc;

/// Collects what a source says and puts it into order.
#[derive(Debug)]
pub struct TableBuilder {
    source: Source,
    head: Head,
    slack: Option<Option<u64>>,
    writer: Writer,
}

impl TableBuilder {
    /// An empty table.
    pub fn new(source: Source) -> TableBuilder {
        TableBuilder {
            source,
            head: Head {
                pointer_size: 8,
                ..Head::default()
            },
            slack: None,
            writer: Writer::default(),
        }
    }

    /// Says which link the table describes.
    pub fn identity(&mut self, id: PdbId) -> &mut Self {
        self.head.identity = Some(id);
        self
    }

    /// Says which version the image has.
    pub fn version(&mut self, version: &str) -> &mut Self {
        self.head.version = Some(version.into());
        self
    }

    /// Says which machine the image is for.
    pub fn machine(&mut self, machine: u16) -> &mut Self {
        self.head.machine = Some(machine);
        self
    }

    /// Says how wide a pointer is; 8 bytes unless said.
    pub fn pointer_size(&mut self, bytes: u8) -> &mut Self {
        self.head.pointer_size = bytes;
        self
    }

    /// What [`TableBuilder::pointer_size`] said.
    pub(super) fn width(&self) -> u8 {
        self.head.pointer_size
    }

    /// Says whether the source has the compiler's records of each module.
    pub fn private(&mut self, private: bool) -> &mut Self {
        self.head.private = private;
        self
    }

    /// Says [`SymbolTable::mi_state_slack`]. Left unsaid it is computed, which needs the symbol after `MiState`.
    pub fn mi_state_slack(&mut self, bytes: Option<u64>) -> &mut Self {
        self.slack = Some(bytes);
        self
    }

    /// Adds a symbol of which only name and address are known.
    pub fn symbol(&mut self, name: &str, rva: Rva) -> &mut Self {
        self.symbol_with(name, rva, &SymbolInfo::default())
    }

    /// Adds a symbol. Of several addresses of a name the first is the one that the name is found at; what is said twice of
    /// one place is kept once, as the more exact says it. Names beyond 4 GiB of text are dropped.
    pub(crate) fn symbol_with(&mut self, name: &str, rva: Rva, info: &SymbolInfo) -> &mut Self {
        self.writer.symbol(name, rva.0, info);
        self
    }

    /// Adds a name for a type. The first type of a name stays; a structure's own name needs none.
    pub fn typedef(&mut self, name: &str, ty: &Type) -> &mut Self {
        let is_itself = matches!(ty, Type::Udt(own) | Type::Enum(own) if **own == *name);
        if !is_itself {
            self.writer.typedef(name, ty);
        }
        self
    }

    /// Adds a structure or union. The first of a name stays.
    pub fn udt(&mut self, udt: Udt) -> &mut Self {
        self.writer.udt(&udt);
        self
    }

    /// Adds an enumeration. The first of a name stays.
    pub fn enumeration(&mut self, e: Enum) -> &mut Self {
        self.writer.enumeration(&e);
        self
    }

    /// The finished table.
    pub fn build(self) -> SymbolTable {
        let packed = self.writer.finish(self.head);
        let table = SymbolTable::of(self.source, Arc::new(packed.unwrap_or_default()));
        let slack = self.slack.unwrap_or_else(|| slack_after_mi_state(&table));
        table.with_mi_state_slack(slack)
    }
}

/// Bytes from the end of `MiState`, by its type, to the symbol after it; `None` where they cannot be told.
pub(super) fn slack_after_mi_state(table: &SymbolTable) -> Option<u64> {
    let state = table.exactly("MiState")?;
    let size = table.udt("_MI_SYSTEM_INFORMATION")?.size;
    let next = table.next_above(state)?;
    u64::from(next.0 - state.0).checked_sub(size)
}
