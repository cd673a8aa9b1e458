//! The tag that the driver framework (KMDF) gives to a driver that names none: no code holds it.
//!
//! Documented with `WDF_DRIVER_CONFIG.DriverPoolTag`: zero stands for the first four characters of the service's name; if it
//! begins with `WDF`, the next four; if there are fewer than four, `FxDr`.
//!
//! The framework notes what it chose in the driver's `WDF_DRIVER_GLOBALS` (wdfglobals.h: Driver, DriverFlags, DriverTag,
//! DriverName[32], DisplaceDriverUnload), to which a variable of every framework driver points. Where that variable and the
//! structure are in the dump, nothing needs to be assumed.

use crate::pool::Tag;
use crate::{Kernel, Module};
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_pooltags::Report;
use rkd_symbols::pe::Image;

const DRIVER_TAG: u64 = 0x0c;
const DRIVER_NAME: u64 = 0x10;
const NAME_LENGTH: usize = 32;
const WRITABLE: u32 = 0x8000_0000;
const EXECUTE: u32 = 0x2000_0020;
/// Bytes of variables that are looked through; the pointer is among the first of them in all drivers seen.
const MAX_VARIABLE_BYTES: u64 = 0x4_0000;

/// What the framework allocates under for a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framework {
    /// The tag.
    pub tag: Tag,
    /// The driver's service, as the framework calls it or as the image's name suggests.
    pub service: String,
    /// Where the framework noted it; `None` if it is only the rule, applied to the image's name.
    pub noted_at: Option<Virt>,
    /// The call that leaves the tag to the framework, as an offset in the image.
    pub call_rva: Option<u32>,
}

/// The default tag of a service.
pub fn default_tag(service: &str) -> Tag {
    let named = service
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("WDF"));
    let rest = if named { &service[3..] } else { service };
    match rest.as_bytes() {
        [a, b, c, d, ..] => Tag([*a, *b, *c, *d]),
        _ => Tag(*b"FxDr"),
    }
}

fn stem(module: &Module) -> &str {
    let name = module.image_name.as_str();
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Whether the tag may be the module's default: the image's name need not be written as the service's.
pub(super) fn may_be_default(module: &Module, tag: Tag) -> bool {
    default_tag(stem(module))
        .0
        .eq_ignore_ascii_case(&tag.without_protection().0)
}

/// What the framework gives to this driver, which is bound to it; `None` if it names a tag of its own.
pub(super) fn of(kernel: &Kernel, module: &Module, report: &Report) -> Option<Framework> {
    let create = report
        .sites
        .iter()
        .find(|site| site.api == "WdfDriverCreate");
    // WDF_DRIVER_CONFIG is often cleared by memset and hardly ever filled in: only a tag that is known is one of its own.
    if create.is_some_and(|site| site.tag.is_some_and(|tag| tag != 0)) {
        return None;
    }
    let call_rva = create.map(|site| site.call_rva);
    if let Some((at, tag, service)) = noted(kernel, module) {
        return Some(Framework {
            tag,
            service,
            noted_at: Some(at),
            call_rva,
        });
    }
    let service = stem(module).to_owned();
    Some(Framework {
        tag: default_tag(&service),
        service,
        noted_at: None,
        call_rva,
    })
}

/// Looks through the driver's variables for the pointer to its `WDF_DRIVER_GLOBALS`.
fn noted(kernel: &Kernel, module: &Module) -> Option<(Virt, Tag, String)> {
    let space = kernel.space();
    let image = Image::read(space, module.base).ok()?;
    let writable = |flags: u32| flags & WRITABLE != 0 && flags & EXECUTE == 0;
    for section in image
        .headers()
        .sections
        .iter()
        .filter(|s| writable(s.flags))
    {
        let start = module.base + section.rva;
        let size = u64::from(section.virtual_size).min(MAX_VARIABLE_BYTES);
        for page in 0..size.div_ceil(PAGE_SIZE) {
            let at = start + page * PAGE_SIZE;
            let length = PAGE_SIZE.min(size - page * PAGE_SIZE) as usize;
            let Ok(bytes) = space.slice(at, length) else {
                continue;
            };
            let pointers = bytes
                .as_chunks::<8>()
                .0
                .iter()
                .map(|b| Virt(u64::from_le_bytes(*b)));
            let outside =
                pointers.filter(|p| p.is_kernel() && p.0 % 8 == 0 && !module.contains(*p));
            let found = outside
                .filter_map(|p| globals(kernel, module, p).map(|(tag, name)| (p, tag, name)))
                .next();
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// The tag and the name at an address, if they are those of this driver.
fn globals(kernel: &Kernel, module: &Module, at: Virt) -> Option<(Tag, String)> {
    let mut bytes = [0u8; NAME_LENGTH];
    kernel.space().read(at + DRIVER_NAME, &mut bytes).ok()?;
    let length = bytes.iter().position(|&b| b == 0).unwrap_or(NAME_LENGTH);
    let name = bytes.get(..length)?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-. ".contains(b);
    if name.is_empty() || !name.iter().all(plain) {
        return None;
    }
    let name = String::from_utf8_lossy(name).into_owned();
    let tag = Tag::from_u32(kernel.space().read_u32(at + DRIVER_TAG).ok()?);
    let (own, theirs) = (stem(module).to_ascii_lowercase(), name.to_ascii_lowercase());
    // The name is cut after 31 characters. A service may be called otherwise than its file; then its tag tells.
    let same = own == theirs || own.get(..NAME_LENGTH - 1) == Some(&theirs);
    (same || tag == default_tag(&name)).then_some((tag, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_rule() {
        for (service, tag) in [
            ("ViGEmBus", b"ViGE"),
            ("WinDivert", b"WinD"),
            ("WdfSample", b"Samp"),
            ("wdfx", b"FxDr"),
            ("abc", b"FxDr"),
            ("abcd", b"abcd"),
            ("", b"FxDr"),
            ("\u{e9}\u{e9}", b"\xc3\xa9\xc3\xa9"),
        ] {
            assert_eq!(default_tag(service), Tag(*tag), "{service}");
        }
    }
}
