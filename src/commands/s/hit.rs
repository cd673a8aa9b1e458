//! A hit as a row: where it lies, and the memory from there on.

use super::request::Kind;
use crate::command::{KdLine, Record, Row};
use crate::commands::display;
use rkd_dump::addr::Virt;
use rkd_kernel::{Kernel, Module};
use rkd_symbols::pe::{Image, Section};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes that are shown of each hit.
const CONTEXT: usize = 16;

/// The kernel, and the sections of the modules in which something was found so far.
pub(super) struct Places<'a> {
    kernel: &'a Kernel,
    sections: RefCell<HashMap<Virt, Rc<[Section]>>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(kernel: &'a Kernel) -> Places<'a> {
        Places {
            kernel,
            sections: RefCell::default(),
        }
    }

    /// The section that holds an address, and how far into it that is.
    fn section(&self, module: &Module, at: Virt) -> Option<(String, u64)> {
        let mut known = self.sections.borrow_mut();
        let sections = known.entry(module.base).or_insert_with(|| {
            let image = Image::read(self.kernel.space(), module.base);
            image
                .map(|image| image.headers().sections.clone().into())
                .unwrap_or_default()
        });
        let rva = at - module.base;
        let inside = |section: &&Section| {
            rva.wrapping_sub(u64::from(section.rva.0)) < u64::from(section.virtual_size)
        };
        sections
            .iter()
            .find(inside)
            .map(|section| (section.name.clone(), rva - u64::from(section.rva.0)))
    }
}

/// A place where a pattern was found.
#[derive(Row)]
#[row(kind = "hit", cells = Found<'a>)]
pub(super) struct Hit<'a> {
    pub places: &'a Places<'a>,
    pub at: Virt,
    /// Of the pattern or of the match, in bytes.
    pub length: usize,
    /// The pattern as it was typed.
    pub pattern: &'a str,
    pub kind: Kind,
    /// Only its address is shown.
    pub bare: bool,
}

/// What is told of a hit, apart from its line.
#[derive(Record)]
struct Found<'a> {
    /// Where it is.
    va: Virt,
    /// The module that holds it.
    #[row(absent = "the address lies in no module")]
    module: Option<&'a str>,
    /// How far into the module it is.
    #[row(unit = "bytes", absent = "the address lies in no module")]
    module_offset: Option<u64>,
    /// The section that holds it.
    #[row(absent = "the address lies in no section")]
    section: Option<String>,
    /// How far into the section it is.
    #[row(unit = "bytes", absent = "the address lies in no section")]
    section_offset: Option<u64>,
    /// The pattern as it was typed.
    pattern: &'a str,
    /// The length of what was found.
    #[row(unit = "bytes")]
    length: usize,
    /// The memory from there on, sixteen bytes at the most.
    bytes: Vec<u8>,
}

impl<'a> Hit<'a> {
    fn cells(&self) -> Found<'a> {
        let kernel = self.places.kernel;
        let module = kernel.module_at(self.at);
        let section = module.and_then(|module| self.places.section(module, self.at));
        let (section, section_offset) = section.unzip();
        let mut context = [0; CONTEXT];
        let (there, _) = kernel.space().read_prefix(self.at, &mut context);
        Found {
            va: self.at,
            module: module.map(|module| module.name.as_str()),
            module_offset: module.map(|module| self.at - module.base),
            section,
            section_offset,
            pattern: self.pattern,
            length: self.length,
            bytes: context[..there].to_vec(),
        }
    }
}

impl KdLine for Hit<'_> {
    fn line(&self) -> String {
        if self.bare {
            return format!("0x{}", self.at);
        }
        let form = match self.kind {
            Kind::Bytes | Kind::Ascii => "db",
            Kind::Words | Kind::Unicode => "dW",
            Kind::Dwords => "dc",
            Kind::Qwords => "dq",
        };
        display::line_at(self.places.kernel, self.at, form)
    }
}
