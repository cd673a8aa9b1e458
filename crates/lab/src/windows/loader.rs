//! What the loader remembers: the images that are loaded, and the last drivers that are not any more.

use super::Windows;
use super::driver;
use super::kernel::{self, Exports};
use crate::image::Image;
use crate::plan::{Module, ModuleBody, Plan};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// `MI_UNLOADED_DRIVERS`.
const REMEMBERED: usize = 50;

/// Loads every image of the plan, lists them, and says what they export.
pub(super) fn load(windows: &mut Windows<'_>, plan: &Plan) -> Result<Exports> {
    let mut exports = Exports::default();
    let mut entries = Vec::new();
    for module in &plan.modules {
        let image = match &module.body {
            ModuleBody::Kernel => {
                exports = kernel::load(windows, plan, module)?;
                None
            }
            ModuleBody::Driver(driver) => Some(driver::image(plan, module, driver, &mut exports)),
            ModuleBody::Culprit(make) => Some(make(module, &exports)),
        };
        if let Some(image) = &image {
            image.load(&mut windows.memory)?;
            let globals = driver::globals_of(module, image);
            windows
                .bound
                .extend(globals.map(|at| (at, module.name.clone())));
            keep_file(windows, module, image);
        }
        entries.push(list_entry(windows, module, image.as_ref())?);
    }
    for module in &plan.files {
        if let ModuleBody::Driver(driver) = &module.body {
            let image = driver::image(plan, module, driver, &mut exports);
            windows.files.push((module.name.clone(), image.file()));
        }
    }
    let head = windows.symbol("PsLoadedModuleList")?;
    windows.link(head, &entries)?;
    remember_unloaded(windows, plan)?;
    Ok(exports)
}

/// The framework notes the drivers that are bound to it.
pub(super) fn bind_framework(windows: &mut Windows<'_>) -> Result<()> {
    for (variable, file) in std::mem::take(&mut windows.bound) {
        driver::bind(windows, variable, &file)?;
    }
    Ok(())
}

/// Drivers that the case is about have files: the culprit, and whose code is not in memory.
fn keep_file(windows: &mut Windows<'_>, module: &Module, image: &Image) {
    let wanted = match &module.body {
        ModuleBody::Kernel => false,
        ModuleBody::Driver(driver) => driver.away,
        ModuleBody::Culprit(_) => true,
    };
    if wanted {
        windows.files.push((module.name.clone(), image.file()));
    }
}

/// The loader's entry. Public symbols of older kernels know only the user-mode loader's, whose first half is the same.
fn list_entry(windows: &mut Windows<'_>, module: &Module, image: Option<&Image>) -> Result<Virt> {
    let own = windows.table.udt("_KLDR_DATA_TABLE_ENTRY").is_some();
    let ty = if own {
        "_KLDR_DATA_TABLE_ENTRY"
    } else {
        "_LDR_DATA_TABLE_ENTRY"
    };
    let full = windows.unicode_string(&format!("{}{}", module.folder, module.name))?;
    let short = windows.unicode_string(module.alias.as_deref().unwrap_or(&module.name))?;
    let mut structure = windows.structure(ty)?;
    structure.set("DllBase", module.base.0)?;
    structure.set("SizeOfImage", u64::from(module.size))?;
    structure.put("FullDllName", &full)?;
    structure.put("BaseDllName", &short)?;
    structure.set_if("Flags", 0x4910_4000);
    structure.set_if("LoadCount", 1);
    structure.set_if("CheckSum", u64::from(module.checksum));
    if let Some(image) = image {
        structure.set("EntryPoint", (module.base + image.entry).0)?;
    }
    if own {
        structure.set_if("TimeDateStamp", u64::from(module.time_stamp));
        structure.set_if("SizeOfImageNotRounded", u64::from(module.size));
        if let Some((table, size)) = image.and_then(Image::exception_table) {
            structure.set_if("ExceptionTable", table.0);
            structure.set_if("ExceptionTableSize", u64::from(size));
        }
    }
    let at = windows.pool.take(structure.bytes().len() as u64, 16);
    windows.memory.write(at, structure.bytes())?;
    Ok(at)
}

/// The ring of unloaded drivers. No table has its type: name, start, end, time, 0x28 bytes, fifty of them.
fn remember_unloaded(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let ring = windows.pool.take(REMEMBERED as u64 * 0x28, 16);
    windows.memory.write(ring, &[0; REMEMBERED * 0x28])?;
    for (index, gone) in plan.gone.iter().take(REMEMBERED).enumerate() {
        let mut entry = windows.unicode_string(gone.name)?.to_vec();
        let when = plan.time - gone.seconds_ago * 10_000_000;
        for value in [gone.start.0, gone.end.0, when] {
            entry.extend_from_slice(&value.to_le_bytes());
        }
        windows.memory.write(ring + index as u64 * 0x28, &entry)?;
    }
    windows.set_u64("MmUnloadedDrivers", ring.0)?;
    windows.set_u32(
        "MmLastUnloadedDriver",
        (plan.gone.len() % REMEMBERED) as u32,
    )?;
    Ok(())
}
