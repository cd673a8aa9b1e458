//! The driver that leaks, byte for byte where it matters: two functions that pass the tag `Leak` to the allocator.

use crate::code::{CallStyle, Code};
use crate::image::{DATA, Fate, INIT, Image, Import, RDATA, RSRC, TEXT};
use crate::plan::Module;
use crate::windows::Exports;
use rkd_dump::addr::Rva;

/// What it imports from the kernel, in the order of its import table: the allocator's slot is at 0x3078.
const IMPORTS: [&str; 18] = [
    "IofCompleteRequest",
    "IoDeleteDevice",
    "IoDeleteSymbolicLink",
    "RtlInitUnicodeString",
    "IoCreateDevice",
    "IoCreateSymbolicLink",
    "KeInitializeEvent",
    "KeWaitForSingleObject",
    "KeSetEvent",
    "MmGetSystemRoutineAddress",
    "DbgPrint",
    "KeBugCheckEx",
    "PsCreateSystemThread",
    "ObfDereferenceObject",
    "ZwClose",
    "ExAllocatePoolWithTag",
    "ExFreePoolWithTag",
    "KeDelayExecutionThread",
];

const SLOTS: u32 = 0x3000;
const LAST_PAGED: Rva = Rva(0x4010);
const LAST_NON_PAGED: Rva = Rva(0x4018);
/// Where the two leaking functions begin.
const LEAK_PAGED: Rva = Rva(0x1540);
const LEAK_NON_PAGED: Rva = Rva(0x15b0);

fn slot(name: &str) -> Rva {
    let index = IMPORTS
        .iter()
        .position(|import| *import == name)
        .unwrap_or(0) as u32;
    Rva(SLOTS + 8 * index)
}

/// The image as it lies in memory after its start.
pub(super) fn image(module: &Module, exports: &Exports) -> Image {
    let mut image = Image::new(module.base, module.size);
    image.time_stamp = module.time_stamp;
    image.checksum = module.checksum;
    image.entry = Rva(0x6010);
    image.section(".text", 0x1000, 0x1a40, TEXT, Fate::Resident);
    image.section(".rdata", 0x3000, 0x0614, RDATA, Fate::Resident);
    image.section(".data", 0x4000, 0x0120, DATA, Fate::Resident);
    image.section(".pdata", 0x5000, 0x00fc, RDATA, Fate::Resident);
    image.section("INIT", 0x6000, 0x04c6, INIT, Fate::Discarded);
    image.section(".rsrc", 0x7000, 0x0428, RSRC, Fate::PagedOut);
    image.section(".reloc", 0x8000, 0x0024, RSRC, Fate::Discarded);

    let mut code = Code::new(Rva(0x1000));
    emit_dispatch(&mut code);
    emit_leaks(&mut code);
    let (bytes, functions) = code.finish();
    image.put(Rva(0x1000), bytes);
    image.unwind(Rva(0x5000), Rva(0x3200), &functions);
    image.debug_record(
        Rva(0x3300),
        *b"\x6a\x11\xf4\x0e\x93\x57\xd2\x4b\x8c\x21\x5e\x70\xa3\x3f\x19\xc8",
        1,
        "myfault.pdb",
    );
    let device: Vec<u8> = "\\Device\\Myfault\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    image.put(Rva(0x3400), device);
    // pool is never given back: how much, and the last of it
    image.put(Rva(0x4000), 119_u64.to_le_bytes().to_vec());
    let imports = IMPORTS.iter().filter_map(|&name| {
        Some(Import {
            name: name.to_owned(),
            target: exports.kernel(name)?,
        })
    });
    image.imports(
        Rva(0x6100),
        Rva(SLOTS),
        &[("ntoskrnl.exe", imports.collect())],
    );
    image
}

/// Unload, and the function that looks at the request's code.
fn emit_dispatch(code: &mut Code) {
    code.begin_here(0x28)
        .emit(&[0x48, 0x8b, 0x0d])
        .relative(Rva(0x4008));
    code.call(slot("IoDeleteDevice"), CallStyle::Plain).end();
    code.pad_to(Rva(0x1100)).begin_here(0x28);
    // cmp edx, 83360020h; jne; call
    for (request, target) in [(0x8336_0020_u32, LEAK_PAGED), (0x8336_0024, LEAK_NON_PAGED)] {
        code.emit(&[0x81, 0xfa])
            .emit(&request.to_le_bytes())
            .emit(&[0x75, 0x05, 0xe8])
            .relative(target);
    }
    code.emit(&[0x33, 0xc0]).end();
    // what the tool is named for: a read through a null pointer
    code.begin(0x28).emit(&[0x33, 0xc0, 0x8b, 0x00]).end();
}

/// The two functions that allocate and forget.
fn emit_leaks(code: &mut Code) {
    code.pad_to(LEAK_PAGED).begin_here(0x28);
    code.emit(&[0x41, 0xb9, 0x04, 0x00, 0x00, 0x00]); // mov r9d, 4
    emit_size(code);
    code.emit(&[0x0f, 0x1f, 0x40, 0x00]); // nop
    code.mov_r8d(u32::from_le_bytes(*b"Leak"));
    code.emit(&[0x0f, 0x42, 0xc1]); // cmovb eax, ecx
    code.emit(&[0x41, 0x8d, 0x49, 0xfd]); // lea ecx, [r9-3]: PagedPool
    code.emit(&[0x8b, 0xd0]); // mov edx, eax
    code.call(slot("ExAllocatePoolWithTag"), CallStyle::Plain);
    code.emit(&[0x48, 0x89, 0x05]).relative(LAST_PAGED).end();

    code.pad_to(LEAK_NON_PAGED).begin_here(0x28);
    emit_size(code);
    code.emit(&[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00]); // nop
    code.mov_r8d(u32::from_le_bytes(*b"Leak"));
    code.emit(&[0x0f, 0x42, 0xc1]); // cmovb eax, ecx
    code.emit(&[0x33, 0xc9]); // xor ecx, ecx: NonPagedPool
    code.emit(&[0x8b, 0xd0]); // mov edx, eax
    code.call(slot("ExAllocatePoolWithTag"), CallStyle::Plain);
    code.emit(&[0x48, 0x89, 0x05])
        .relative(LAST_NON_PAGED)
        .end();
}

/// `mov eax, [rcx]; mov ecx, 2800000h; cmp eax, ecx`: what was asked for, but forty mebibytes at least.
fn emit_size(code: &mut Code) {
    code.emit(&[0x8b, 0x01, 0xb9, 0x00, 0x00, 0x80, 0x02, 0x3b, 0xc1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the debugger showed of the real driver.
    #[test]
    fn the_code_is_the_articles() {
        let mut code = Code::new(Rva(0x1000));
        emit_dispatch(&mut code);
        emit_leaks(&mut code);
        let (bytes, functions) = code.finish();
        assert_eq!(
            &bytes[0x559..0x569],
            b"\x4c\x65\x61\x6b\x0f\x42\xc1\x41\x8d\x49\xfd\x8b\xd0\xff\x15\x0c"
        );
        assert_eq!(
            &bytes[0x5c7..0x5d7],
            b"\x4c\x65\x61\x6b\x0f\x42\xc1\x33\xc9\x8b\xd0\xff\x15\xa0\x1a\x00"
        );
        assert_eq!(functions.len(), 5);
        assert_eq!(bytes.windows(4).filter(|four| four == b"Leak").count(), 2);
    }
}
