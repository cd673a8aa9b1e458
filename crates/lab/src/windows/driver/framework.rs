//! Drivers that are bound to the driver framework (KMDF): they call through its table of functions, and it keeps a record of
//! each of them.

use super::{Context, FUNCTIONS_AT, GLOBALS_AT, Places};
use crate::code::{CallStyle, Code};
use crate::image::Image;
use crate::plan::{Module, ModuleBody, Style};
use crate::windows::Windows;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::Result;

/// Functions of KMDF 1.15.
pub(super) const FUNCTIONS: u32 = 444;
/// `WdfDriverCreate` in that table.
const DRIVER_CREATE: u32 = 116;
/// `WdfMemoryCreate` in that table.
const MEMORY_CREATE: u32 = 192;

/// Where a driver's pointer to the framework's record of it lies; `None` for drivers without the framework.
pub(crate) fn globals_of(module: &Module, image: &Image) -> Option<Virt> {
    let ModuleBody::Driver(driver) = &module.body else {
        return None;
    };
    let data = image
        .sections()
        .iter()
        .find(|section| section.name == ".data");
    let data = data.filter(|_| driver.style == Style::Framework)?;
    Some(module.base + data.rva + u64::from(GLOBALS_AT))
}

/// `WDF_DRIVER_GLOBALS`: the framework's record of a driver, with the tag that it allocates under for it. Without one of its own
/// that is the first four characters of the service's name.
pub(crate) fn bind(windows: &mut Windows<'_>, variable: Virt, file: &str) -> Result<()> {
    let service = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut name = service.as_bytes().to_vec();
    name.resize(0x20, 0);
    // Driver, DriverFlags, DriverTag, DriverName, DisplaceDriverUnload
    let mut globals = 0u64.to_le_bytes().to_vec();
    globals.extend_from_slice(&[0; 4]);
    globals.extend_from_slice(name.get(..4).unwrap_or_default());
    globals.extend_from_slice(&name);
    globals.resize(0x38, 0);
    let at = windows.allocate(b"FxDr", globals.len() as u64)?;
    windows.memory.write(at, &globals)?;
    windows.memory.write_u64(variable, at.0)
}

/// `WdfDriverCreate(DriverObject, RegistryPath, NULL, &config, NULL)` with a configuration that names no tag.
pub(super) fn emit_create(code: &mut Code, context: &Context<'_>) {
    code.begin(0x68);
    code.emit(&[0x0f, 0x57, 0xc0]); // xorps xmm0, xmm0
    code.emit(&[0x0f, 0x11, 0x44, 0x24, 0x40]); // movups [rsp+40h], xmm0
    code.emit(&[0x0f, 0x11, 0x44, 0x24, 0x50]); // movups [rsp+50h], xmm0
    code.mov_stack(0x40, 0x20); // Size
    code.emit(&[0x48, 0x8d, 0x44, 0x24, 0x40]); // lea rax, [rsp+40h]
    code.emit(&[0x48, 0x89, 0x44, 0x24, 0x20]); // mov [rsp+20h], rax
    code.emit(&[0x48, 0xc7, 0x44, 0x24, 0x28, 0, 0, 0, 0]); // mov qword [rsp+28h], 0
    code.emit(&[0x45, 0x33, 0xc9]); // xor r9d, r9d
    emit_call(code, context, DRIVER_CREATE);
}

/// `WDF_BIND_INFO`: how the framework's loader finds the driver's pointer to the table of functions.
pub(super) fn put_record(image: &mut Image, places: &Places, at: Rva) -> u32 {
    let name: Vec<u8> = "KmdfLibrary\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let name_at = Rva(at.0 + 0x30);
    let mut record = 0x30_u64.to_le_bytes().to_vec();
    record.extend_from_slice(&(image.base + name_at).0.to_le_bytes());
    for value in [1, 15, 0, FUNCTIONS] {
        record.extend_from_slice(&value.to_le_bytes());
    }
    record.extend_from_slice(
        &(image.base + Rva(places.data + FUNCTIONS_AT))
            .0
            .to_le_bytes(),
    );
    record.extend_from_slice(&[0; 8]);
    record.extend_from_slice(&name);
    let used = record.len() as u32;
    image.put(at, record);
    used
}

/// `WdfMemoryCreate(WDF_NO_OBJECT_ATTRIBUTES, PagedPool or NonPagedPoolNx, tag, size, &memory, NULL)`.
pub(super) fn emit_memory(code: &mut Code, context: &Context<'_>, tag: u32, size: u32) {
    code.begin(0x38)
        .emit(&[0x48, 0xc7, 0x44, 0x24, 0x28, 0, 0, 0, 0]);
    code.emit(&[0x48, 0xc7, 0x44, 0x24, 0x20])
        .emit(&size.to_le_bytes());
    let kind = if context.is_paged(tag.to_le_bytes()) {
        1
    } else {
        0x200
    };
    code.mov_r9d(tag).mov_r8d(kind).emit(&[0x33, 0xd2]);
    emit_call(code, context, MEMORY_CREATE);
}

/// Through the table, by way of the guard's dispatcher; the first argument is the framework's record of the driver.
fn emit_call(code: &mut Code, context: &Context<'_>, function: u32) {
    code.emit(&[0x48, 0x8b, 0x05])
        .relative(context.variable(FUNCTIONS_AT));
    code.emit(&[0x48, 0x8b, 0x80])
        .emit(&(8 * function).to_le_bytes());
    code.emit(&[0x48, 0x8b, 0x0d])
        .relative(context.variable(GLOBALS_AT));
    code.call(context.guard, CallStyle::Plain).end();
}
