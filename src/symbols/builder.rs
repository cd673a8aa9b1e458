//! Collects what a source of symbols says, and puts it into the order in which it is looked up.

use super::table::{Source, SymbolInfo, SymbolTable};
use super::types::{Enum, Type, Udt};
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
    private: bool,
    /// Names one after the other.
    text: String,
    symbols: Vec<Entry>,
    udts: HashMap<Name, Udt>,
    enums: HashMap<Name, Enum>,
    typedefs: HashMap<Name, Type>,
}

/// A symbol: its name's place in the text, and what else is known.
#[derive(Debug)]
struct Entry {
    start: u32,
    end: u32,
    rva: u32,
    info: SymbolInfo,
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
            private: false,
            text: String::new(),
            symbols: Vec::new(),
            udts: HashMap::new(),
            enums: HashMap::new(),
            typedefs: HashMap::new(),
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

    /// What [`TableBuilder::pointer_size`] said.
    pub(super) fn width(&self) -> u8 {
        self.pointer_size
    }

    /// Says whether the source has the compiler's records of each module.
    pub fn private(&mut self, private: bool) -> &mut Self {
        self.private = private;
        self
    }

    /// Adds a symbol of which only name and address are known.
    pub fn symbol(&mut self, name: &str, rva: Rva) -> &mut Self {
        self.symbol_with(name, rva, SymbolInfo::default())
    }

    /// Adds a symbol. Of several addresses of a name the first is the one that the name is found at; what is said twice of
    /// one place is kept once, as the more exact says it. Names beyond 4 GiB of text are dropped.
    pub fn symbol_with(&mut self, name: &str, rva: Rva, info: SymbolInfo) -> &mut Self {
        let end = self.text.len().saturating_add(name.len());
        if let (Ok(start), Ok(end)) = (u32::try_from(self.text.len()), u32::try_from(end)) {
            self.text.push_str(name);
            let rva = rva.0;
            self.symbols.push(Entry {
                start,
                end,
                rva,
                info,
            });
        }
        self
    }

    /// Adds a name for a type. The first type of a name stays; a structure's own name needs none.
    pub fn typedef(&mut self, name: &str, ty: Type) -> &mut Self {
        let is_itself = matches!(&ty, Type::Udt(own) | Type::Enum(own) if **own == *name);
        if !is_itself {
            self.typedefs.entry(name.into()).or_insert(ty);
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
        let name = |entry: &Entry| &self.text[entry.start as usize..entry.end as usize];
        // The sort keeps the order in which symbols of one name came.
        self.symbols.sort_by(|a, b| name(a).cmp(name(b)));
        let mut symbols: Vec<Entry> = Vec::with_capacity(self.symbols.len());
        for next in self.symbols {
            let same = symbols
                .iter_mut()
                .rev()
                .take_while(|known| name(known) == name(&next))
                .find(|known| known.rva == next.rva);
            match same {
                Some(known) if next.info.private && !known.info.private => known.info = next.info,
                Some(_) => {}
                None => symbols.push(next),
            }
        }
        let mut text = String::with_capacity(self.text.len());
        let mut starts = Vec::with_capacity(symbols.len() + 1);
        for symbol in &symbols {
            starts.push(text.len() as u32);
            text.push_str(name(symbol));
        }
        starts.push(text.len() as u32);
        let mut by_rva: Vec<_> = symbols
            .iter()
            .zip(0u32..)
            .map(|(symbol, i)| (symbol.rva, name(symbol).contains(['?', '$', '@']), i))
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
            rvas: symbols.iter().map(|symbol| symbol.rva).collect(),
            infos: symbols.into_iter().map(|symbol| symbol.info).collect(),
            typedefs: self.typedefs,
            private: self.private,
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
