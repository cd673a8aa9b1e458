//! x64 machine code for the drivers of the practice machine: functions with prologue, unwind record and calls through
//! the import table, in the forms that real compilers emit.

use rkd_dump::addr::Rva;

/// A function's place and its unwind information, as `.pdata` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The first byte.
    pub begin: Rva,
    /// One past the last byte.
    pub end: Rva,
    /// Bytes of stack that the prologue takes (a multiple of 8, up to 128).
    pub frame: u8,
}

/// How a compiler calls an imported function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallStyle {
    /// `FF 15 rel32`.
    Plain,
    /// `48 FF 15 rel32` and a five byte NOP: room for the kernel to patch a direct call in (1809 and later compilers).
    Patchable,
}

/// Code that is being written.
pub(crate) struct Code {
    start: u32,
    bytes: Vec<u8>,
    functions: Vec<Function>,
    open: Option<(u32, u8)>,
}

impl Code {
    /// Code that begins at this offset of the image.
    pub(crate) fn new(start: Rva) -> Code {
        Code {
            start: start.0,
            bytes: Vec::new(),
            functions: Vec::new(),
            open: None,
        }
    }

    /// Where the next byte will be.
    pub(crate) fn here(&self) -> Rva {
        Rva(self.start + self.bytes.len() as u32)
    }

    /// Adds bytes.
    pub(crate) fn emit(&mut self, bytes: &[u8]) -> &mut Code {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Fills up to `at` with breakpoints, as linkers do between functions.
    pub(crate) fn pad_to(&mut self, at: Rva) -> &mut Code {
        while self.here().0 < at.0 {
            self.bytes.push(0xcc);
        }
        self
    }

    /// Begins a function on a boundary of 16 bytes: `sub rsp, frame`.
    pub(crate) fn begin(&mut self, frame: u8) -> &mut Code {
        let at = Rva(self.here().0.next_multiple_of(16));
        self.pad_to(at);
        self.begin_here(frame)
    }

    /// Begins a function at the current place.
    pub(crate) fn begin_here(&mut self, frame: u8) -> &mut Code {
        self.open = Some((self.here().0, frame));
        self.emit(&[0x48, 0x83, 0xec, frame])
    }

    /// Ends the function: `add rsp, frame; ret`.
    pub(crate) fn end(&mut self) -> &mut Code {
        let (begin, frame) = self.open.take().unwrap_or((self.here().0, 0));
        self.emit(&[0x48, 0x83, 0xc4, frame, 0xc3]);
        let end = self.here();
        self.functions.push(Function {
            begin: Rva(begin),
            end,
            frame,
        });
        self
    }

    /// `call [slot]`, relative to the instruction pointer.
    pub(crate) fn call(&mut self, slot: Rva, style: CallStyle) -> &mut Code {
        match style {
            CallStyle::Plain => self.emit(&[0xff, 0x15]).relative(slot),
            CallStyle::Patchable => self
                .emit(&[0x48, 0xff, 0x15])
                .relative(slot)
                .emit(&[0x0f, 0x1f, 0x44, 0x00, 0x00]),
        }
    }

    /// A four byte displacement from the end of itself to `target`.
    pub(crate) fn relative(&mut self, target: Rva) -> &mut Code {
        let next = self.here().0 + 4;
        self.emit(&target.0.wrapping_sub(next).to_le_bytes())
    }

    /// `mov r8d, imm32`.
    pub(crate) fn mov_r8d(&mut self, value: u32) -> &mut Code {
        self.emit(&[0x41, 0xb8]).emit(&value.to_le_bytes())
    }

    /// `mov r9d, imm32`.
    pub(crate) fn mov_r9d(&mut self, value: u32) -> &mut Code {
        self.emit(&[0x41, 0xb9]).emit(&value.to_le_bytes())
    }

    /// `mov edx, imm32`.
    pub(crate) fn mov_edx(&mut self, value: u32) -> &mut Code {
        self.emit(&[0xba]).emit(&value.to_le_bytes())
    }

    /// `mov ecx, imm32`, or `xor ecx, ecx` for zero.
    pub(crate) fn mov_ecx(&mut self, value: u32) -> &mut Code {
        match value {
            0 => self.emit(&[0x33, 0xc9]),
            _ => self.emit(&[0xb9]).emit(&value.to_le_bytes()),
        }
    }

    /// `mov dword [rsp+offset], imm32`.
    pub(crate) fn mov_stack(&mut self, offset: u8, value: u32) -> &mut Code {
        self.emit(&[0xc7, 0x44, 0x24, offset])
            .emit(&value.to_le_bytes())
    }

    /// `lea rcx, [place]`.
    pub(crate) fn lea_rcx(&mut self, place: Rva) -> &mut Code {
        self.emit(&[0x48, 0x8d, 0x0d]).relative(place)
    }

    /// The code and its functions.
    pub(crate) fn finish(self) -> (Vec<u8>, Vec<Function>) {
        (self.bytes, self.functions)
    }
}

/// The unwind record of a function that only moves the stack pointer.
pub(crate) fn unwind_record(frame: u8) -> [u8; 8] {
    // version 1; prologue of 4 bytes; one code; no frame register; at 4: UWOP_ALLOC_SMALL (2), size / 8 - 1
    let small = (frame / 8).saturating_sub(1) << 4 | 2;
    [0x01, 0x04, 0x01, 0x00, 0x04, small, 0x00, 0x00]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reaches_its_slot() {
        let mut code = Code::new(Rva(0x1000));
        code.begin(0x28)
            .mov_r8d(u32::from_le_bytes(*b"Tag1"))
            .call(Rva(0x3078), CallStyle::Plain)
            .end();
        let (bytes, functions) = code.finish();
        assert_eq!(&bytes[..10], b"\x48\x83\xec\x28\x41\xb8Tag1");
        let displacement = i32::from_le_bytes(bytes[12..16].try_into().unwrap());
        assert_eq!(0x1010 + displacement, 0x3078);
        assert_eq!(
            functions,
            [Function {
                begin: Rva(0x1000),
                end: Rva(0x1015),
                frame: 0x28
            }]
        );
    }

    #[test]
    fn unwind_record_of_forty_bytes() {
        // as the compiler writes it for `sub rsp, 28h`
        assert_eq!(unwind_record(0x28), [1, 4, 1, 0, 4, 0x42, 0, 0]);
    }
}
