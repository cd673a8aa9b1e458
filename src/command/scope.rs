//! A session as the world of expressions: its dump's memory and names, the registers of its current processor, its own pseudo-registers.

use super::masm::{Scope, Width};
use crate::session::Session;
use rkd_dump::addr::{PAGE_SIZE, Phys, Virt};
use rkd_dump::error::{Error, Result};
use rkd_kernel::context::Context;
use rkd_kernel::stack::Frame;

impl Scope for Session {
    fn radix(&self) -> u32 {
        self.numbers.radix
    }

    fn module_base(&self, name: &str) -> Option<Virt> {
        self.target.kernel.module(name).map(|module| module.base)
    }

    fn symbol(&self, name: &str) -> Result<Virt> {
        match name.split_once('!') {
            Some(("", name)) => self.target.kernel.symbol(name),
            Some((module, name)) => self.target.kernel.resolve(module, name),
            None => self.target.kernel.symbol(name),
        }
    }

    fn register(&self, name: &str) -> Option<Result<u64>> {
        if name == "cr3" {
            let root = self.target.kernel.located().page_table_root;
            return Some(
                root.known()
                    .map_err(|why| Error::NotInDump(why.to_string())),
            );
        }
        match self.target.kernel.context(self.target.processor) {
            Ok(context) => context.get(name).map(Ok),
            Err(why) if Context::is_register(self.target.kernel.code_machine(), name) => {
                Some(Err(why))
            }
            Err(_) => None,
        }
    }

    fn pseudo(&self, name: &str) -> Option<Result<u64>> {
        if let Some(number) = name
            .strip_prefix('t')
            .and_then(|digits| digits.parse::<usize>().ok())
        {
            return self.numbers.pseudo.get(number).copied().map(Ok);
        }
        let kernel = &self.target.kernel;
        let context = || kernel.context(self.target.processor);
        let thread = || kernel.current_thread(self.target.processor);
        let process = || kernel.current_process(self.target.processor);
        Some(match name {
            "ip" => context().map(|context| context.instruction().0),
            "csp" | "sp" => context().map(|context| context.stack_pointer().0),
            "retreg" => context().map(|context| context.returned()),
            "proc" => process().map(|at| at.0),
            "thread" => thread().map(|at| at.0),
            "peb" => process().and_then(|at| kernel.field_u64(at, "_EPROCESS", "Peb")),
            "teb" => thread().and_then(|at| kernel.field_u64(at, "_KTHREAD", "Teb")),
            "tpid" => thread().and_then(|at| kernel.field_u64(at, "_ETHREAD", "Cid.UniqueProcess")),
            "tid" => thread().and_then(|at| kernel.field_u64(at, "_ETHREAD", "Cid.UniqueThread")),
            "ptrsize" => Ok(u64::from(self.pointer_size())),
            "pagesize" => Ok(PAGE_SIZE),
            "frame" => Ok(0),
            "exp" => Ok(self.numbers.last_value),
            "p" => Ok(self.display.cursor.last),
            "dbgtime" => kernel.located().system_time.get().ok_or_else(|| {
                Error::NotInDump("the dump does not say when it was written".into())
            }),
            "ra" => self.return_address(),
            _ => return None,
        })
    }

    fn read(&self, at: Virt, width: Width) -> Result<u64> {
        let mut bytes = [0; 8];
        let length = width.bytes(self.pointer_size()) as usize;
        self.target
            .kernel
            .space()
            .read(at, &mut bytes[..length.min(8)])?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn read_physical(&self, at: Phys, width: Width) -> Result<u64> {
        let mut value = 0;
        for n in (0..u64::from(width.bytes(self.pointer_size()))).rev() {
            value = value << 8 | u64::from(self.physical_byte(at + n)?);
        }
        Ok(value)
    }

    fn is_valid(&self, at: Virt, length: u64) -> bool {
        let mut covered = 0;
        for piece in self.target.kernel.space().mapped(at, length) {
            if piece.va - at != covered {
                return false;
            }
            covered += piece.bytes.len() as u64;
        }
        covered == length
    }

    fn entry_point(&self, base: Virt) -> Result<Virt> {
        // e_lfanew of the DOS header, then AddressOfEntryPoint of the PE headers.
        let space = self.target.kernel.space();
        let headers = base + u64::from(space.read_u32(base + 0x3c)?);
        if space.read_u32(headers)? != u32::from_le_bytes(*b"PE\0\0") {
            return Err(Error::NotInDump(format!("there is no image at {base}")));
        }
        Ok(base + u64::from(space.read_u32(headers + 0x28)?))
    }
}

impl Session {
    /// Where the current function returns to.
    fn return_address(&self) -> Result<u64> {
        let kernel = &self.target.kernel;
        let stack = kernel.calls(&kernel.context(self.target.processor)?, 1);
        match (stack.frames.first(), stack.stopped) {
            (_, Some(why)) => Err(why),
            (Some(Frame { ret: Some(at), .. }), None) => Ok(at.0),
            (_, None) => Err(Error::NotInDump("the stack is empty".into())),
        }
    }

    /// A byte of physical memory.
    ///
    /// # Errors
    /// When the dump holds no physical memory, or not this page.
    pub fn physical_byte(&self, at: Phys) -> Result<u8> {
        let memory = self.target.kernel.dump().physical();
        let memory = memory.ok_or_else(|| {
            Error::NotInDump("a triage dump holds blocks of virtual memory only".into())
        })?;
        let page = memory
            .page(at.pfn())
            .and_then(|page| page.get(at.page_offset() as usize));
        page.copied()
            .ok_or_else(|| Error::NotInDump(format!("page {} is not in the dump", at.pfn())))
    }
}
