//! The target's code: its instructions with names, and its functions as the images' function tables list them.

use super::{Kernel, Module};
use rkd_code::unwind::{FunctionTable, RuntimeFunction};
use rkd_code::{Instruction, Machine};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Result};
use rkd_symbols::pe::Image;

/// The numbers of data directories (winnt.h).
const EXCEPTIONS: usize = 3;
const IMPORT_ADDRESSES: usize = 12;

impl Kernel {
    /// The processor whose code the target runs.
    pub fn code_machine(&self) -> Machine {
        let machine = self.located.machine.get();
        let machine = machine.and_then(|machine| u16::try_from(machine).ok());
        machine.and_then(Machine::of_image).unwrap_or(Machine::X64)
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

    /// The instruction at an address, as [`Instruction::disassemble`] spells it with [`Kernel::code_name`].
    ///
    /// # Errors
    /// The fault, when its bytes are not in the dump.
    pub fn instruction_at(&self, at: Virt) -> Result<Instruction> {
        let machine = self.code_machine();
        let mut bytes = [0; 16];
        let wanted = bytes.get_mut(..machine.longest()).unwrap_or_default();
        let (read, fault) = self.space.read_prefix(at, wanted);
        let bytes = bytes.get(..read).unwrap_or_default();
        match Instruction::decode(machine, at, bytes) {
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
        let Some((rva, size)) = image.headers().directory(EXCEPTIONS) else {
            return Ok(None);
        };
        let Ok(at) = u32::try_from(at - module.base).map(Rva) else {
            return Ok(None);
        };
        let table = FunctionTable {
            machine: Machine::X64,
            base: module.base,
            rva: Rva(rva),
            size,
        };
        table.find(&self.space, at)
    }

    /// The first piece of a function of several, which the unwind data of the others leads to.
    ///
    /// # Errors
    /// Unwind data that cannot be read, or leads in a circle.
    pub fn first_piece(&self, module: &Module, piece: RuntimeFunction) -> Result<RuntimeFunction> {
        let first = piece.first_piece(&self.space, module.base);
        first.map_err(|(_, why)| why)
    }
}
