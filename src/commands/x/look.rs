//! How kd writes a symbol: `nt!KeBugCheckEx (<no parameter info>)`, `nt!MmPfnDatabase = <no type information>`.

use crate::commands::dt::{spelling, value_of};
use rkd_dump::addr::{Rva, Virt};
use rkd_kernel::{Kernel, Module};
use rkd_symbols::pe::{Image, Section};
use rkd_symbols::{SymbolKind, SymbolTable, Type};

/// Code can be run in a section with this flag.
const EXECUTABLE: u32 = 0x2000_0000;

/// What lies at a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Code.
    Function,
    /// Something else.
    Data,
    /// The headers of the image, which would tell, are not in the dump.
    Unknown,
}

impl Kind {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Function => "function",
            Kind::Data => "data",
            Kind::Unknown => "unknown",
        }
    }
}

/// A symbol, and what is known of it.
pub struct Symbol<'a> {
    /// kd's name of the module.
    pub module: &'a str,
    /// The name.
    pub name: &'a str,
    /// Where it lies.
    pub at: Virt,
    /// What lies there.
    pub kind: Kind,
    /// Whether the compiler's records tell of it.
    pub is_private: bool,
    /// Its size in bytes, where the symbols say it.
    pub size: Option<u64>,
    /// Its type in kd's words, where the symbols say it.
    pub ty: Option<String>,
    /// What kd puts behind the name, the blank in front included.
    pub tail: String,
}

impl Symbol<'_> {
    /// `nt!KeBugCheckEx`.
    pub fn full_name(&self) -> String {
        format!("{}!{}", self.module, self.name)
    }
}

/// Describes the symbols of one module.
pub struct Describer<'a> {
    kernel: &'a Kernel,
    module: &'a Module,
    table: &'a SymbolTable,
    /// `None` when the headers are not in the dump.
    sections: Option<Vec<Section>>,
}

impl<'a> Describer<'a> {
    /// Reads the headers of the module's image.
    pub fn new(kernel: &'a Kernel, module: &'a Module, table: &'a SymbolTable) -> Describer<'a> {
        let image = Image::read(kernel.space(), module.base).ok();
        Describer {
            kernel,
            module,
            table,
            sections: image.map(|image| image.headers().sections.clone()),
        }
    }

    /// A symbol of the module's table.
    pub fn symbol(&self, symbol: rkd_symbols::Symbol<'a>) -> Symbol<'a> {
        let rkd_symbols::Symbol { name, rva, info } = symbol;
        let at = self.module.base + rva;
        let kind = match info.kind {
            SymbolKind::Function => Kind::Function,
            SymbolKind::Data => Kind::Data,
            SymbolKind::Unknown => self.kind(rva),
        };
        let ty = info.ty.as_ref();
        let size = match kind {
            Kind::Function => info.size.map(u64::from),
            _ => ty.and_then(|ty| self.table.size_of(ty)),
        };
        Symbol {
            module: &self.module.name,
            name,
            at,
            kind,
            is_private: info.private,
            size,
            ty: ty.map(|ty| spelling::long(self.table, ty)),
            tail: self.tail(kind, ty, at),
        }
    }

    fn kind(&self, rva: Rva) -> Kind {
        let Some(sections) = &self.sections else {
            return Kind::Unknown;
        };
        let holds = |section: &&Section| {
            rva.0
                .checked_sub(section.rva.0)
                .is_some_and(|at| at < section.virtual_size.max(section.raw_size))
        };
        match sections.iter().find(holds) {
            Some(section) if section.flags & EXECUTABLE != 0 => Kind::Function,
            _ => Kind::Data,
        }
    }

    /// What a function takes, and what a variable holds: a value, or the type of what is more than one value.
    fn tail(&self, kind: Kind, ty: Option<&Type>, at: Virt) -> String {
        match (kind, ty) {
            (Kind::Unknown, _) => String::new(),
            (Kind::Function, None) => " (<no parameter info>)".into(),
            (Kind::Function, Some(ty)) => format!(" {}", spelling::long(self.table, ty)),
            (Kind::Data, None) => " = <no type information>".into(),
            (Kind::Data, Some(ty @ (Type::Udt(_) | Type::Array(..)))) => {
                format!(" = {}", spelling::long(self.table, ty))
            }
            (Kind::Data, Some(ty)) => {
                let shown = value_of(self.kernel, self.table, ty, at);
                format!(" = {}", shown.trim_end())
            }
        }
    }
}
