//! From a dump to a kernel: address space, module list, nt's identity, its symbols, and what only the symbols tell.

use super::debugger_data::{DebuggerData, Key};
use super::modules::{self, Found, Module};
use super::names::Names;
use super::{Kernel, identify};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::{AddressSpace, PteRules};
use rkd_dump::{Dump, Located, MACHINE_X64, Way};
use rkd_symbols::pe::Image;
use rkd_symbols::{How, Lookup, PdbId, Reach, Servers, SymbolPath, SymbolTable, Type, facts};
use std::sync::Arc;

/// What a person says when opening a dump.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where symbol files lie.
    pub symbols: SymbolPath,
    /// The servers that the path may name. The default uses no network.
    pub servers: Servers,
    /// Whether servers are asked for nt's symbols even when the kernel is a known one. Otherwise what rkd knows itself is
    /// enough to open the dump, and the rest is fetched when somebody asks for it.
    pub fetch: bool,
    /// Whether files of another build are taken where there is no right one (`.reload /i`).
    pub mismatched: bool,
    /// nt's table, where it is known already and is not to be looked for.
    pub table: Option<Arc<SymbolTable>>,
    /// Modules that the user places by hand (`.reload x.sys=ADDRESS,SIZE`).
    pub placed: Vec<Module>,
}

/// What opening finds out, step by step.
struct Opening {
    dump: Arc<Dump>,
    space: AddressSpace,
    located: Located,
    base: Option<Virt>,
    table: Option<Arc<SymbolTable>>,
    identity: Option<PdbId>,
    debugger_data: Option<DebuggerData>,
    notes: Vec<String>,
}

impl Kernel {
    /// Finds out about the kernel in a dump. Whatever cannot be found out is left open, with a note that says why.
    pub fn open(dump: Dump, options: &Options) -> Kernel {
        Kernel::of_dump(Arc::new(dump), options)
    }

    /// The same for a dump that is open already: with other symbols, everything is found out anew.
    pub fn of_dump(dump: Arc<Dump>, options: &Options) -> Kernel {
        let located = dump.located().clone();
        let root = located.page_table_root.get().unwrap_or_default();
        let space = match dump.triage() {
            Some(_) => AddressSpace::blocks(dump.clone()),
            None => AddressSpace::paged(dump.clone(), root),
        };
        let notes = dump.notes().to_vec();
        let mut opening = Opening {
            dump,
            space,
            located,
            base: None,
            table: None,
            identity: None,
            debugger_data: None,
            notes,
        };
        if opening.located.machine.get() != Some(MACHINE_X64) {
            opening.notes.push("only the page tables of x64 are understood yet: of this machine, the header and what the dump lists itself are shown".into());
        }
        let listed = opening.modules();
        opening.find_base(&listed);
        opening.find_symbols(options);
        opening.find_debugger_data();
        opening.complete();
        opening.learn_pte_rules();
        opening.finish(options)
    }

    /// How many processors the machine had. `nt!KeNumberProcessors` is a ULONG since Windows 7; the dump says the number
    /// too, and the larger one counts, because a wrong one loses counters.
    pub fn processors(&self) -> u32 {
        let stated = self.located.processors.get().unwrap_or_default();
        let own = self.global_u32("KeNumberProcessors").unwrap_or(0);
        stated.max(if own <= 2048 { own } else { 0 }).clamp(1, 2048)
    }

    /// The processor that wrote the dump: the one whose saved stack pointer is that of the context in the dump. Zero when no
    /// processor's context is in the dump.
    pub fn current_processor(&self) -> u32 {
        identify::current_processor(self).unwrap_or(0)
    }
}

impl Opening {
    fn modules(&mut self) -> Vec<Module> {
        if self.dump.triage().is_some() {
            return modules::of_triage(&self.dump).0.items;
        }
        let head = self.located.module_list.get();
        head.map_or(Vec::new(), |head| {
            modules::loaded(&self.space, head, None).items
        })
    }

    /// nt is the first in the loader's list; without the list, the debugger data block says where it is.
    fn find_base(&mut self, listed: &[Module]) {
        let block = self.located.debugger_block.get();
        self.debugger_data = match self.dump.triage() {
            Some(triage) => triage
                .debugger_data()
                .and_then(|bytes| DebuggerData::parse(bytes).ok()),
            None => block.and_then(|at| DebuggerData::read(&self.space, at, None).ok()),
        };
        let from_block = self
            .debugger_data
            .as_ref()
            .and_then(DebuggerData::kernel_base);
        let listed = listed.first().map(|module| module.base);
        self.base = listed.or(from_block).or(self.located.kernel_base.get());
    }

    fn find_symbols(&mut self, options: &Options) {
        let Some(base) = self.base else { return };
        let own = Image::read(&self.space, base)
            .ok()
            .and_then(|image| image.codeview());
        let id = own.or_else(|| {
            identify::by_debugger_data(self.debugger_data.as_ref(), base, &mut self.notes)
        });
        match &id {
            _ if options.table.is_some() => self.table.clone_from(&options.table),
            Some(id) => self.table = find_table(id, options, &mut self.notes).map(Arc::new),
            None => self.notes.push("which build of nt this is cannot be told: neither its debug directory nor a debugger data block of a known kernel is in the dump".into()),
        }
        self.identity = id;
    }

    /// The block that a running kernel keeps scrambled can be decoded only with its symbols.
    fn find_debugger_data(&mut self) {
        if self.debugger_data.is_some() {
            return;
        }
        let (Some(base), Some(table)) = (self.base, &self.table) else {
            return;
        };
        let symbol = |name: &str| {
            table
                .rva(name)
                .map(|rva| base + rva)
                .ok_or_else(|| Error::NoSymbol(format!("nt!{name}")))
        };
        let read = |name: &str| -> Result<u64> { Ok(self.space.read_u64(symbol(name)?)?) };
        let key = || -> Result<Key> {
            Ok(Key {
                wait_never: read("KiWaitNever")?,
                wait_always: read("KiWaitAlways")?,
                encoded_flag: symbol("KdpDataBlockEncoded")?,
            })
        };
        let stated = self.located.debugger_block.get();
        let at = stated.map_or_else(|| symbol("KdDebuggerDataBlock"), Ok);
        match at.and_then(|at| DebuggerData::read(&self.space, at, key().ok())) {
            Ok(block) => self.debugger_data = Some(block),
            Err(error) => self
                .notes
                .push(format!("the debugger data block cannot be read: {error}")),
        }
    }

    /// What neither a header nor a search tells, nt's own variables do.
    fn complete(&mut self) {
        let Opening {
            located,
            space,
            table,
            debugger_data,
            base,
            ..
        } = self;
        let symbol = |name: &str| {
            let table = table.as_ref()?;
            Some((*base)? + table.rva(name)?)
        };
        located.module_list = located.module_list.or(Way::Symbols, || {
            let block = debugger_data.as_ref();
            block
                .and_then(|block| block.symbol("PsLoadedModuleList"))
                .or_else(|| symbol("PsLoadedModuleList"))
        });
        located.debugger_block = located
            .debugger_block
            .or(Way::Symbols, || symbol("KdDebuggerDataBlock"));
        located.kernel_base = located.kernel_base.or(Way::Symbols, || *base);
        // The number's top bits say whether the build is a free one (F) or a checked one (C).
        let number = symbol("NtBuildNumber").and_then(|at| space.read_u32(at).ok());
        let of_image = || {
            let image = Image::read(space, (*base)?).ok()?;
            let version = image.version_resource().value?.fixed?;
            let [_, _, build, _] = version.file_version;
            Some(u32::from(build))
        };
        located.build = located
            .build
            .or(Way::Symbols, || number.map(|number| number & 0xffff))
            .or(Way::Image, of_image);
        located.is_checked = located
            .is_checked
            .or(Way::Symbols, || number.map(|number| number >> 28 == 0xc));
    }

    /// How this kernel writes the entries of pages that are not present. The mask came with the L1TF fixes of August 2018 to
    /// old builds too, so the symbols decide, not the build.
    fn learn_pte_rules(&mut self) {
        let (Some(base), Some(table)) = (self.base, &self.table) else {
            return;
        };
        let mut rules = PteRules::default();
        let at = |name: &str| table.rva(name).map(|rva| base + rva);
        let field = |symbol: &str, ty: &str, path: &str| {
            Some(at(symbol)? + table.field(ty, path).ok()?.offset)
        };
        let mask = at("MiInvalidPteMask").or_else(|| {
            field(
                "MiState",
                "_MI_SYSTEM_INFORMATION",
                "Hardware.InvalidPteMask",
            )
        });
        if let Some(mask) = mask.and_then(|at| self.space.read_u64(at).ok()) {
            rules.invalid_mask = Some(mask);
        }
        if let Ok(low) = table.field("_MMPTE_SOFTWARE", "PageFileLow")
            && let Type::Bitfield { position, .. } = low.ty
        {
            rules.page_file_low_bit = *position;
        }
        let store = field(
            "MiSystemPartition",
            "_MI_PARTITION",
            "Store.VirtualPageFileNumber",
        );
        rules.virtual_store_file = store
            .and_then(|at| self.space.read_u32(at).ok())
            .and_then(|number| u8::try_from(number).ok());
        self.space = self.space.clone().with_rules(rules);
    }

    fn finish(mut self, options: &Options) -> Kernel {
        let (mut loaded, unloaded) = match self.dump.triage() {
            Some(_) => modules::of_triage(&self.dump),
            None => (self.loaded(), self.unloaded()),
        };
        for module in &options.placed {
            loaded.items.retain(|known| known.base != module.base);
            loaded.items.push(module.clone());
        }
        self.notes.extend(loaded.notes);
        self.notes.extend(unloaded.notes);
        Kernel {
            symbol_path: options.symbols.clone(),
            how: How {
                reach: Reach::Servers,
                mismatched: options.mismatched,
                servers: options.servers.clone(),
            },
            names: Names::new(loaded.items.len()),
            dump: self.dump,
            space: self.space,
            located: self.located,
            base: self.base,
            table: self.table,
            identity: self.identity,
            debugger_data: self.debugger_data,
            modules: loaded.items,
            unloaded: unloaded.items,
            notes: self.notes,
        }
    }

    /// Once more with the symbols, which know where the time stamps are.
    fn loaded(&self) -> Found<Module> {
        modules::loaded(
            &self.space,
            self.located.module_list.get().unwrap_or_default(),
            self.table.as_deref(),
        )
    }

    fn unloaded(&self) -> Found<super::Unloaded> {
        let symbol = |name: &str| {
            let from_table = self
                .base
                .zip(self.table.as_ref().and_then(|table| table.rva(name)))
                .map(|(base, rva)| base + rva);
            from_table.or_else(|| {
                self.debugger_data
                    .as_ref()
                    .and_then(|block| block.symbol(name))
            })
        };
        match (symbol("MmUnloadedDrivers"), symbol("MmLastUnloadedDriver")) {
            (Some(array), Some(last)) => modules::unloaded(&self.space, array, last),
            _ => Found::default(),
        }
    }
}

/// A symbol file with exactly this identity that is on this machine, or what rkd knows itself, or a file from a server.
///
/// A server comes last, because most of what is asked of a dump needs no more than rkd knows: a traveller without a network
/// is at the prompt at once. Who wants everything says so (`fetch`).
fn find_table(id: &PdbId, options: &Options, notes: &mut Vec<String>) -> Option<SymbolTable> {
    let search = |reach| {
        let how = How {
            reach,
            mismatched: options.mismatched,
            servers: options.servers.clone(),
        };
        options.symbols.search(id, &how)
    };
    let known = facts::find(id);
    let reach = match options.fetch || known.is_none() {
        true => Reach::Servers,
        false => Reach::Here,
    };
    let Lookup {
        table,
        tried,
        is_stopped,
        ..
    } = search(reach);
    if is_stopped {
        notes.push("nt's symbols were not fetched, because of Ctrl-C; .reload asks again".into());
    }
    // A file that was refused is always worth a word; a directory without a file only when nothing else was found.
    let refused = tried
        .iter()
        .filter(|tried| (table.is_none() && known.is_none()) || tried.is_refused);
    notes.extend(refused.map(|tried| format!("symbols not taken from {tried}")));
    if let Err(why) = facts::own_facts() {
        notes.push(format!("facts of your own are not used: {why}"));
    }
    let found = table.or(known);
    if found.is_none() {
        notes.push(format!("no symbols for {id}: it is not among the built-in kernels, and the symbol path has no file for it"));
    }
    found
}
