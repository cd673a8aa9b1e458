//! The target's code: its instructions with names, and its functions as the images' function tables list them.

use super::{Kernel, Module};
use rkd_code::unwind::{RuntimeFunction, UnwindInfo};
use rkd_code::{Disassembler, Instruction, Machine};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Result};
use rkd_symbols::pe::Image;

/// The numbers of data directories (winnt.h).
const EXCEPTIONS: usize = 3;
const IMPORT_ADDRESSES: usize = 12;

/// How many pieces of a function may be chained to each other.
const CHAIN: usize = 32;

impl Kernel {
    /// The reader of the target's code.
    pub fn disassembler(&self) -> Disassembler {
        let machine = self.located.machine.get();
        let machine = machine.and_then(|machine| u16::try_from(machine).ok());
        Disassembler::new(machine.and_then(Machine::of_image).unwrap_or(Machine::X64))
    }

    /// What an address in an instruction is called: a symbol with a distance, or an import of the module.
    pub fn code_name(&self, at: Virt) -> Option<String> {
        let near = self.nearest(at)?;
        if (near.symbol.is_some() && near.offset == 0) || near.offset > u64::from(u32::MAX) {
            return Some(near.to_string());
        }
        Some(self.import_name(at).unwrap_or_else(|| near.to_string()))
    }

    /// `myfault!_imp_ExAllocatePoolWithTag` for a slot of an import address table, by what the loader wrote into it: the names of
    /// imports are mostly gone from memory once a driver has started.
    fn import_name(&self, at: Virt) -> Option<String> {
        let module = self.module_at(at)?;
        let image = Image::read(&self.space, module.base).ok()?;
        let (rva, size) = image.headers().directory(IMPORT_ADDRESSES)?;
        let offset = (at - module.base).checked_sub(u64::from(rva))?;
        if offset >= u64::from(size) || offset % 8 != 0 {
            return None;
        }
        let target = self.space.read_virt(at).ok()?;
        let near = self.nearest(target).filter(|near| near.offset == 0)?;
        Some(format!("{}!_imp_{}", module.name, near.symbol?))
    }

    /// The instruction at an address.
    ///
    /// # Errors
    /// The fault, when its bytes are not in the dump.
    pub fn instruction_at(&self, at: Virt) -> Result<Instruction> {
        let disassembler = self.disassembler();
        let mut bytes = [0; 16];
        let wanted = bytes
            .get_mut(..disassembler.machine().longest())
            .unwrap_or_default();
        let (read, fault) = self.space.read_prefix(at, wanted);
        let bytes = bytes.get(..read).unwrap_or_default();
        match disassembler.one(at, bytes, &|at| self.code_name(at)) {
            Some(instruction) => Ok(instruction),
            None => Err(fault.map_or_else(
                || Error::NotFound(format!("there is no instruction at {at}")),
                Error::Fault,
            )),
        }
    }

    /// The entry of a module's function table (`.pdata`) that covers an address; `None` for functions that have none, which are
    /// leaf functions.
    ///
    /// # Errors
    /// Why the table cannot be read.
    pub fn function_entry(&self, module: &Module, at: Virt) -> Result<Option<RuntimeFunction>> {
        let image = Image::read(&self.space, module.base)?;
        let Some((table, size)) = image.headers().directory(EXCEPTIONS) else {
            return Ok(None);
        };
        let Ok(at) = u32::try_from(at - module.base).map(Rva) else {
            return Ok(None);
        };
        let entry = |number: u64| -> Result<RuntimeFunction> {
            let mut bytes = [0; RuntimeFunction::SIZE];
            let place = module.base + u64::from(table) + number * RuntimeFunction::SIZE as u64;
            self.space.read(place, &mut bytes)?;
            Ok(RuntimeFunction::parse(&bytes))
        };
        let (mut low, mut high) = (0, u64::from(size) / RuntimeFunction::SIZE as u64);
        while low < high {
            let middle = low + (high - low) / 2;
            let function = entry(middle)?;
            if function.contains(at) {
                return Ok(Some(function));
            }
            if at < function.begin {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(None)
    }

    /// The first piece of a function of several, which the unwind data of the others leads to.
    ///
    /// # Errors
    /// Unwind data that cannot be read, or leads in a circle.
    pub fn first_piece(&self, module: &Module, piece: RuntimeFunction) -> Result<RuntimeFunction> {
        let mut piece = piece;
        for _ in 0..CHAIN {
            match UnwindInfo::read(&self.space, module.base, piece.unwind)?.chained {
                Some(next) => piece = next,
                None => return Ok(piece),
            }
        }
        Err(Error::Corrupt {
            what: format!("the unwind data at {}", module.base + piece.unwind),
            why: "its pieces are chained in a circle".into(),
        })
    }
}
