//! The block of `lmv`: what the loader's list and the image itself say.

use super::{SymbolState, symbol_state};
use crate::session::Session;
use jiff::Timestamp;
use rkd_kernel::modules::harmless;
use rkd_kernel::{Kernel, Module};
use rkd_symbols::pe::Image;

/// kd guesses these when it cannot read the resource pages.
const GUESSED_TRANSLATIONS: &str = "0000.04b0 0000.04e4 0409.04b0 0409.04e4";

/// The lines behind the module's own.
pub(super) fn block(session: &Session, kernel: &Kernel, module: &Module) -> String {
    let image = Image::read(kernel.space(), module.base).ok();
    let repro = image.as_ref().is_some_and(reproducible);
    let mut lines = Vec::new();
    if symbol_state(kernel, module) != SymbolState::Deferred {
        lines.push(format!(
            "    Loaded symbol image file: {}",
            module.image_name
        ));
    }
    lines.push(format!("    Image path: {}", module.image_path));
    lines.push(format!("    Image name: {}", module.image_name));
    lines.push("    Browse all global symbols  functions  data".into());
    if repro {
        lines.push("    Image was built with /Brepro flag.".into());
    }
    lines.push(format!(
        "    Timestamp:        {}",
        stamp(session, module.time_stamp, repro)
    ));
    lines.push(match module.checksum {
        Some(checksum) => format!("    CheckSum:         {checksum:08X}"),
        None => "    CheckSum:         missing".into(),
    });
    lines.push(format!("    ImageSize:        {:08X}", module.size));
    lines.extend(version(image.as_ref()));
    lines.join("\n")
}

/// The time stamp as `lm t` and `lmv` print it.
pub(super) fn time_stamp(session: &Session, kernel: &Kernel, module: &Module) -> String {
    let repro = Image::read(kernel.space(), module.base).is_ok_and(|image| reproducible(&image));
    stamp(session, module.time_stamp, repro)
}

fn reproducible(image: &Image) -> bool {
    image.debug().value.reproducible
}

/// The stamp of a /Brepro image is a hash of its contents.
fn stamp(session: &Session, seconds: Option<u32>, repro: bool) -> String {
    match seconds {
        None => "unavailable (FFFFFFFE)".into(),
        Some(0) => "unavailable (00000000)".into(),
        Some(hash) if repro => {
            format!("{hash:08X} (This is a reproducible build file hash, not a timestamp)")
        }
        Some(seconds) => match Timestamp::from_second(i64::from(seconds)) {
            Ok(time) => {
                let local = time.to_zoned(session.display.time_zone.clone());
                format!("{} ({seconds:08X})", local.strftime("%a %b %e %H:%M:%S %Y"))
            }
            Err(_) => format!("***** Invalid ({seconds:08X})"),
        },
    }
}

/// The version resource, or kd's guess where its pages are missing.
fn version(image: Option<&Image>) -> Vec<String> {
    let Some(version) = image.and_then(|image| image.version_resource().value) else {
        return vec![
            format!("    Translations:     {GUESSED_TRANSLATIONS}"),
            "    Information from resource tables:".into(),
        ];
    };
    let mut lines = Vec::new();
    if let Some(fixed) = &version.fixed {
        let dotted = |[a, b, c, d]: [u16; 4]| format!("{a}.{b}.{c}.{d}");
        lines.push(format!(
            "    File version:     {}",
            dotted(fixed.file_version)
        ));
        lines.push(format!(
            "    Product version:  {}",
            dotted(fixed.product_version)
        ));
        lines.push(format!(
            "    File flags:       {:X} (Mask {:X})",
            fixed.flags & fixed.flags_mask,
            fixed.flags_mask
        ));
        lines.push(format!(
            "    File OS:          {:X} {}",
            fixed.os,
            os_name(fixed.os)
        ));
        lines.push(format!(
            "    File type:        {:X}.{:X} {}",
            fixed.file_type,
            fixed.file_subtype,
            type_name(fixed.file_type)
        ));
        lines.push(format!(
            "    File date:        {:08X}.{:08X}",
            fixed.date >> 32,
            fixed.date & 0xffff_ffff
        ));
    }
    let translations: Vec<String> = version
        .translations
        .iter()
        .map(|(language, page)| format!("{language:04x}.{page:04x}"))
        .collect();
    if !translations.is_empty() {
        lines.push(format!("    Translations:     {}", translations.join(" ")));
    }
    lines.push("    Information from resource tables:".into());
    // kd's order, whatever the order in the file.
    const SHOWN: &[&str] = &[
        "CompanyName",
        "ProductName",
        "InternalName",
        "OriginalFilename",
        "ProductVersion",
        "FileVersion",
        "PrivateBuild",
        "SpecialBuild",
        "FileDescription",
        "LegalCopyright",
        "LegalTrademarks",
        "Comments",
    ];
    for key in SHOWN {
        if let Some(text) = version.string(key).filter(|text| !text.is_empty()) {
            let text = harmless(text);
            lines.push(format!("        {:<18}{text}", format!("{key}:")));
        }
    }
    lines
}

/// `VOS_*` of the Windows headers.
fn os_name(os: u32) -> &'static str {
    match os {
        0x4 => "Unknown Win32",
        0x4_0000 => "NT Base",
        0x4_0004 => "NT Win32",
        0x1_0004 => "DOS Win32",
        _ => "Unknown Base",
    }
}

/// `VFT_*` of the Windows headers.
fn type_name(kind: u32) -> &'static str {
    match kind {
        1 => "App",
        2 => "Dll",
        3 => "Driver",
        4 => "Font",
        5 => "VxD",
        7 => "Static Library",
        _ => "Unknown",
    }
}
