//! How a driver is bound to the kernel-mode driver framework: its calls go through a table of functions that the
//! framework fills in, so no import names them; the record that the loader stub reads says where the table is.

use super::TagImage;

/// The binding to the kernel-mode driver framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wdf {
    /// Major and minor version that the driver was built for.
    pub version: (u32, u32),
    /// Functions in the table.
    pub functions: u32,
    /// Offset of the table, or of the pointer to it.
    pub table: u32,
    /// Whether the table itself lies at `table` (up to version 1.9), and not a pointer to it.
    pub inline: bool,
}

/// More functions than any framework has; 1.33 has fewer than 500.
const MAX_FUNCTIONS: u32 = 4096;
/// Places of the component's name that are looked at.
const MAX_NAMES: usize = 16;

/// Finds the binding record by the component's name, `KmdfLibrary`: user-mode drivers number their functions differently.
pub(super) fn find(image: &TagImage) -> Option<Wdf> {
    let name: Vec<u8> = "KmdfLibrary\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    memchr::memmem::find_iter(&image.bytes, &name)
        .take(MAX_NAMES)
        .find_map(|at| record(image, image.base.wrapping_add(at as u64)))
}

fn record(image: &TagImage, name: u64) -> Option<Wdf> {
    let width = image.machine.pointer();
    let pointer = name.to_le_bytes();
    memchr::memmem::find_iter(&image.bytes, pointer.get(..width as usize)?)
        .take(MAX_NAMES)
        .find_map(|at| {
            // WDF_BIND_INFO: Size, Component, Version { Major, Minor, Build }, FuncCount, FuncTable, Module
            let start = u32::try_from(at).ok()?.checked_sub(width)?;
            let field = |offset: u32| image.u32(start.checked_add(offset)?);
            let size = field(0)?;
            (size >= 6 * width && size <= 0x100).then_some(())?;
            let after = 2 * width;
            let (major, minor, functions) = (field(after)?, field(after + 4)?, field(after + 12)?);
            (major == 1 && minor < 256 && functions <= MAX_FUNCTIONS).then_some(())?;
            let table = image.rva_of(image.pointer(start.checked_add(after + 16)?)?)?;
            Some(Wdf {
                version: (major, minor),
                functions,
                table,
                inline: minor < 11,
            })
        })
}
