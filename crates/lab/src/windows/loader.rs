//! What the loader remembers: the images that are loaded, and the last drivers that are not any more.

use super::Windows;
use super::driver;
use super::kernel::{self, Exports};
use crate::image::Image;
use crate::plan::{Body, Module, Plan};
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
            Body::Kernel => {
                exports = kernel::load(windows, plan, module)?;
                None
            }
            Body::Driver(driver) => Some(driver::image(plan, module, driver, &mut exports)),
            Body::Culprit(make) => Some(make(module, &exports)),
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
        if let Body::Driver(driver) = &module.body {
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
        Body::Kernel => false,
        Body::Driver(driver) => driver.away,
        Body::Culprit(_) => true,
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
    let mut form = windows.form(ty)?;
    form.set("DllBase", module.base.0)?;
    form.set("SizeOfImage", u64::from(module.size))?;
    form.put("FullDllName", &full)?;
    form.put("BaseDllName", &short)?;
    form.set_if("Flags", 0x4910_4000);
    form.set_if("LoadCount", 1);
    form.set_if("CheckSum", u64::from(module.checksum));
    if let Some(image) = image {
        form.set("EntryPoint", (module.base + image.entry).0)?;
    }
    if own {
        form.set_if("TimeDateStamp", u64::from(module.time_stamp));
        form.set_if("SizeOfImageNotRounded", u64::from(module.size));
        if let Some((table, size)) = image.and_then(Image::exception_table) {
            form.set_if("ExceptionTable", table.0);
            form.set_if("ExceptionTableSize", u64::from(size));
        }
    }
    let at = windows.pool.take(form.bytes().len() as u64, 16);
    windows.memory.write(at, form.bytes())?;
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
