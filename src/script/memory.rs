//! Reading the target's memory from a script. A read that fails throws the reason, which a script can catch:
//! `try { read_u64(at) } catch (why) { print(why); }`.

use super::addr::{Answer, address, number};
use super::host::{Host, refused};
use super::registry::{Registry, fail};
use rhai::{Blob, Dynamic, INT};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Fault, Why};
use rkd_dump::memory::AddressSpace;
use std::sync::Arc;

/// The most bytes that one call reads.
const MAX_READ: u64 = 16 << 20;

/// How long a text is at most when the caller does not say.
const DEFAULT_TEXT: INT = 1024;

/// Registers the functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    numbers(r, host);
    bytes(r, host);
    texts(r, host);
}

fn numbers(r: &mut Registry, host: &Arc<Host>) {
    macro_rules! read {
        ($name:literal, $what:literal, $read:ident) => {
            r.function(concat!($name, "(address)"), concat!("Reads ", $what, "."));
            let from = Arc::clone(host);
            r.engine
                .register_fn($name, move |at: Dynamic| -> Answer<Dynamic> {
                    let at = address(&at)?;
                    let value = from.space()?.$read(at).map_err(refused)?;
                    Ok(number(value.into()))
                });
        };
    }
    read!("read_u8", "one byte", read_u8);
    read!("read_u16", "a 2-byte number", read_u16);
    read!("read_u32", "a 4-byte number", read_u32);
    read!(
        "read_u64",
        "an 8-byte number; an `Addr` when it is too large for a signed integer",
        read_u64
    );
    r.function("read_ptr(address)", "Reads a pointer: always an `Addr`.");
    let from = Arc::clone(host);
    r.engine
        .register_fn("read_ptr", move |at: Dynamic| -> Answer<Virt> {
            let at = address(&at)?;
            from.space()?.read_virt(at).map_err(refused)
        });
}

fn bytes(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "read_bytes(address, length)",
        "Reads bytes as a blob, at most 16 MiB in one call.",
    );
    let from = Arc::clone(host);
    r.engine
        .register_fn("read_bytes", move |at: Dynamic, length: INT| {
            read_bytes(&from.space()?, address(&at)?, length)
        });

    r.function(
        "is_readable(address[, length])",
        "Whether the bytes are in the dump.",
    );
    let from = Arc::clone(host);
    r.engine.register_fn("is_readable", move |at: Dynamic| {
        is_readable(&from.space()?, address(&at)?, 1)
    });
    let from = Arc::clone(host);
    r.engine
        .register_fn("is_readable", move |at: Dynamic, length: INT| {
            is_readable(&from.space()?, address(&at)?, length)
        });

    r.function("why_unreadable(address[, length])", "Why the bytes cannot be read: the first address that is missing, and the reason; `()` when they can.");
    let from = Arc::clone(host);
    r.engine.register_fn("why_unreadable", move |at: Dynamic| {
        reason(&from.space()?, address(&at)?, 1)
    });
    let from = Arc::clone(host);
    r.engine
        .register_fn("why_unreadable", move |at: Dynamic, length: INT| {
            reason(&from.space()?, address(&at)?, length)
        });
}

fn texts(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "read_ascii(address[, most])",
        "Reads text up to its zero byte, at most so many characters (1024 unless said otherwise); what cannot be printed becomes a full stop, as in `da`.",
    );
    let from = Arc::clone(host);
    r.engine.register_fn("read_ascii", move |at: Dynamic| {
        read_ascii(&from.space()?, address(&at)?, DEFAULT_TEXT)
    });
    let from = Arc::clone(host);
    r.engine
        .register_fn("read_ascii", move |at: Dynamic, most: INT| {
            read_ascii(&from.space()?, address(&at)?, most)
        });

    r.function(
        "text(bytes)",
        "The text that bytes hold, up to the first zero byte: `text(process.ImageFileName)`.",
    );
    r.engine.register_fn("text", |bytes: Blob| {
        printable(bytes.split(|b| *b == 0).next().unwrap_or_default())
    });

    r.function(
        "read_utf16(address[, most])",
        "The same for UTF-16 text up to its zero character.",
    );
    let from = Arc::clone(host);
    r.engine.register_fn("read_utf16", move |at: Dynamic| {
        read_utf16(&from.space()?, address(&at)?, DEFAULT_TEXT)
    });
    let from = Arc::clone(host);
    r.engine
        .register_fn("read_utf16", move |at: Dynamic, most: INT| {
            read_utf16(&from.space()?, address(&at)?, most)
        });

    r.function(
        "read_unicode_string(address)",
        "Reads the text that a `UNICODE_STRING` at the address describes.",
    );
    let from = Arc::clone(host);
    r.engine
        .register_fn("read_unicode_string", move |at: Dynamic| {
            read_unicode_string(&from.space()?, address(&at)?)
        });
}

/// A length that a script gives.
fn length(value: INT) -> Answer<u64> {
    u64::try_from(value)
        .ok()
        .filter(|length| *length <= MAX_READ)
        .ok_or_else(|| {
            fail(format!(
                "the length must be between 0 and {MAX_READ:#x}, not {value}"
            ))
        })
}

/// Bytes from the target, for `read_bytes` and `module.read`.
pub(super) fn read_bytes(space: &AddressSpace, at: Virt, count: INT) -> Answer<Blob> {
    space.read_vec(at, length(count)? as usize).map_err(refused)
}

/// The first byte of a range that is missing.
fn why(space: &AddressSpace, at: Virt, count: INT) -> Answer<Option<Fault>> {
    let count = length(count)?;
    let mut next = at;
    for piece in space.mapped(at, count) {
        if piece.va != next {
            break;
        }
        next += piece.bytes.len() as u64;
    }
    let missing = next - at < count;
    // The reason comes from a read, because an enumeration only knows what is there.
    Ok(if missing {
        space.read_u8(next).err()
    } else {
        None
    })
}

fn is_readable(space: &AddressSpace, at: Virt, count: INT) -> Answer<bool> {
    Ok(why(space, at, count)?.is_none())
}

fn reason(space: &AddressSpace, at: Virt, count: INT) -> Answer<Dynamic> {
    Ok(why(space, at, count)?.map_or(Dynamic::UNIT, |fault| Dynamic::from(fault.to_string())))
}

fn read_ascii(space: &AddressSpace, at: Virt, most: INT) -> Answer<String> {
    up_to_zero(space, at, length(most)?, 1).map(|bytes| printable(&bytes))
}

/// kd's rule: what is no printable ASCII shows as a full stop.
fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&b| {
            if (0x20..0x7f).contains(&b) {
                char::from(b)
            } else {
                '.'
            }
        })
        .collect()
}

fn read_utf16(space: &AddressSpace, at: Virt, most: INT) -> Answer<String> {
    let bytes = up_to_zero(space, at, length(most)?, 2)?;
    Ok(utf16(&bytes))
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .collect();
    String::from_utf16_lossy(&units)
}

/// The bytes before the first zero character of `width` bytes, or of `most` characters when there is none.
fn up_to_zero(space: &AddressSpace, at: Virt, most: u64, width: usize) -> Answer<Vec<u8>> {
    let mut text = Vec::new();
    let mut next = at;
    while (text.len() as u64) < most.saturating_mul(width as u64) {
        let mut character = [0u8; 2];
        let Some(cell) = character.get_mut(..width) else {
            break;
        };
        space.read(next, cell).map_err(refused)?;
        if cell.iter().all(|&b| b == 0) {
            break;
        }
        text.extend_from_slice(cell);
        next += width as u64;
    }
    Ok(text)
}

/// `UNICODE_STRING` as the documentation gives it for 64 bits: the length in bytes, the room, and at 8 the pointer.
fn read_unicode_string(space: &AddressSpace, at: Virt) -> Answer<String> {
    let read = || -> Result<Vec<u8>, Fault> {
        let length = space.read_u16(at)?;
        let buffer = space.read_virt(at + 8)?;
        if length % 2 != 0 {
            return Err(Fault {
                at,
                why: Why::Unsupported("the length of a UNICODE_STRING is even"),
            });
        }
        space.read_vec(buffer, usize::from(length))
    };
    read().map(|bytes| utf16(&bytes)).map_err(refused)
}
