//! Collects what a source of symbols says, and puts it into the order in which it is looked up.

use super::table::{Source, SymbolTable};
use super::types::{Enum, Udt};
use super::{Name, PdbId};
use crate::addr::Rva;
use std::collections::HashMap;

/// Collects what a source says and puts it into order.
#[derive(Debug)]
pub struct TableBuilder {
    source: Source,
    identity: Option<PdbId>,
    version: Option<Name>,
    machine: Option<u16>,
    pointer_size: u8,
    slack: Option<Option<u64>>,
    /// Names one after the other, and for each its place and the address.
    text: String,
    symbols: Vec<(u32, u32, u32)>,
    udts: HashMap<Name, Udt>,
    enums: HashMap<Name, Enum>,
}

impl TableBuilder {
    /// An empty table.
    pub fn new(source: Source) -> TableBuilder {
        TableBuilder {
            source,
            identity: None,
            version: None,
            machine: None,
            pointer_size: 8,
            slack: None,
            text: String::new(),
            symbols: Vec::new(),
            udts: HashMap::new(),
            enums: HashMap::new(),
        }
    }

    /// Says which link the table describes.
    pub fn identity(&mut self, id: PdbId) -> &mut Self {
        self.identity = Some(id);
        self
    }

    /// Says which version the image has.
    pub fn version(&mut self, version: &str) -> &mut Self {
        self.version = Some(version.into());
        self
    }

    /// Says which machine the image is for.
    pub fn machine(&mut self, machine: u16) -> &mut Self {
        self.machine = Some(machine);
        self
    }

    /// Says how wide a pointer is; 8 bytes unless said.
    pub fn pointer_size(&mut self, bytes: u8) -> &mut Self {
        self.pointer_size = bytes;
        self
    }

    /// Says [`SymbolTable::mi_state_slack`]. Left unsaid it is computed, which needs the symbol after `MiState`.
    pub fn mi_state_slack(&mut self, bytes: Option<u64>) -> &mut Self {
        self.slack = Some(bytes);
        self
    }

    /// Adds a symbol. The first address of a name stays; names beyond 4 GiB of text are dropped.
    pub fn symbol(&mut self, name: &str, rva: Rva) -> &mut Self {
        let end = self.text.len().saturating_add(name.len());
        if let (Ok(start), Ok(end)) = (u32::try_from(self.text.len()), u32::try_from(end)) {
            self.text.push_str(name);
            self.symbols.push((start, end, rva.0));
        }
        self
    }

    /// Adds a structure or union. The first of a name stays.
    pub fn udt(&mut self, udt: Udt) -> &mut Self {
        self.udts.entry(udt.name.clone()).or_insert(udt);
        self
    }

    /// Adds an enumeration. The first of a name stays.
    pub fn enumeration(&mut self, e: Enum) -> &mut Self {
        self.enums.entry(e.name.clone()).or_insert(e);
        self
    }

    /// The finished table.
    pub fn build(mut self) -> SymbolTable {
        let name = |&(start, end, _): &(u32, u32, u32)| &self.text[start as usize..end as usize];
        self.symbols.sort_by(|a, b| name(a).cmp(name(b)));
        self.symbols.dedup_by(|b, a| name(a) == name(b));
        let mut text = String::with_capacity(self.text.len());
        let mut starts = Vec::with_capacity(self.symbols.len() + 1);
        for symbol in &self.symbols {
            starts.push(text.len() as u32);
            text.push_str(name(symbol));
        }
        starts.push(text.len() as u32);
        let mut by_rva: Vec<_> = self
            .symbols
            .iter()
            .zip(0u32..)
            .map(|(symbol, i)| (symbol.2, name(symbol).contains(['?', '$', '@']), i))
            .collect();
        by_rva.sort_unstable();
        let mut table = SymbolTable {
            source: self.source,
            identity: self.identity,
            version: self.version,
            machine: self.machine,
            pointer_size: self.pointer_size,
            mi_state_slack: None,
            text: text.into(),
            starts: starts.into(),
            rvas: self.symbols.iter().map(|symbol| symbol.2).collect(),
            by_rva: by_rva.into_iter().map(|(_, _, i)| i).collect(),
            udts: self.udts,
            enums: self.enums,
        };
        table.mi_state_slack = self.slack.unwrap_or_else(|| slack_after_mi_state(&table));
        table
    }
}

/// See [`SymbolTable::mi_state_slack`].
fn slack_after_mi_state(table: &SymbolTable) -> Option<u64> {
    let state = table.exactly("MiState")?;
    let size = table.udt("_MI_SYSTEM_INFORMATION")?.size;
    let next = table.next_above(state)?;
    u64::from(next.0 - state.0).checked_sub(size)
}
