//! What is known of a module's symbols, in kd's words. kd leaves them alone until somebody asks for them.

use rkd_kernel::{Kernel, Module};
use rkd_symbols::{Source, SymbolTable};

/// What was done about a module's symbols so far, with the file behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolState {
    /// Nobody has asked for them.
    Deferred,
    /// There is neither a symbol file nor an export directory that can be read.
    None,
    /// The exports of the image of this name.
    Exports(String),
    /// What rkd carries about some kernels, or was told of others: some public symbols, and types. In words where from.
    Facts(String),
    /// Names and addresses.
    Public(String),
    /// What the compiler knew, too.
    Private(String),
}

/// The state of a module's symbols. Asking for it does not change it.
pub fn symbol_state(kernel: &Kernel, module: &Module) -> SymbolState {
    let is_nt = kernel.base().is_ok_and(|base| base == module.base);
    match kernel.known_symbols(module) {
        Some(table) => of_table(table, module),
        None if is_nt || kernel.loaded_symbols(module).is_some() => SymbolState::None,
        None => SymbolState::Deferred,
    }
}

fn of_table(table: &SymbolTable, module: &Module) -> SymbolState {
    match table.source() {
        Source::Exports if table.is_empty() => SymbolState::None,
        Source::Exports => SymbolState::Exports(module.image_name.clone()),
        Source::Facts | Source::OwnFacts => SymbolState::Facts(table.source().to_string()),
        source if table.is_private() => SymbolState::Private(source.to_string()),
        source => SymbolState::Public(source.to_string()),
    }
}

impl SymbolState {
    /// In kd's words, without the parentheses that `lm` puts round them.
    pub fn words(&self) -> &'static str {
        match self {
            SymbolState::Deferred => "deferred",
            SymbolState::None => "no symbols",
            SymbolState::Exports(_) => "export symbols",
            SymbolState::Facts(_) | SymbolState::Public(_) => "pdb symbols",
            SymbolState::Private(_) => "private pdb symbols",
        }
    }

    /// The file behind it; empty where there is none.
    pub fn file(&self) -> &str {
        match self {
            SymbolState::Deferred | SymbolState::None => "",
            SymbolState::Exports(file)
            | SymbolState::Facts(file)
            | SymbolState::Public(file)
            | SymbolState::Private(file) => file,
        }
    }

    /// kd's sign in front: `M` for the symbols of another build that the user insisted on, `T` and `C` where the loader's
    /// entry has no time stamp or checksum to compare with.
    pub fn sign(&self, kernel: &Kernel, module: &Module) -> char {
        let loaded = kernel.loaded_symbols(module);
        match self {
            SymbolState::Deferred => ' ',
            _ if loaded.is_some_and(|loaded| loaded.is_mismatched) => 'M',
            _ if module.time_stamp.is_none() => 'T',
            _ if module.checksum.is_none() => 'C',
            _ => ' ',
        }
    }

    /// Whether `lml` lists the module.
    pub fn is_loaded(&self) -> bool {
        !matches!(self, SymbolState::Deferred | SymbolState::None)
    }

    /// Whether `lme` lists the module: there are no symbols, or not those of a symbol file, or a sign stands in front.
    pub fn is_problem(&self, kernel: &Kernel, module: &Module) -> bool {
        matches!(self, SymbolState::None | SymbolState::Exports(_))
            || self.sign(kernel, module) != ' '
    }
}
