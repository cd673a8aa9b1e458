//! `KDDEBUGGER_DATA64`, the block in which the kernel tells a debugger where things are – and its decoding,
//! because a running kernel keeps the block scrambled.

use rkd_dump::addr::Virt;
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;

/// The largest block that any known kernel has (0x380 since 17763), with room to grow.
const LARGEST: usize = 0x400;
/// The smallest block worth the name: it ends with the fields of Windows XP.
const SMALLEST: usize = 0x290;

/// Addresses in the block that are, in every kernel from 7601 to 22000, the address of the public symbol of the same name.
/// Values such as `MmTotalCommittedPages`, which newer kernels leave at zero, are not in this list.
pub(crate) const SYMBOL_FIELDS: &[(&str, usize)] = &[
    ("PsLoadedModuleList", 0x48),
    ("PsActiveProcessHead", 0x50),
    ("PspCidTable", 0x58),
    ("KeTimeIncrement", 0x78),
    ("KiBugCheckData", 0x88),
    ("ObpRootDirectoryObject", 0x98),
    ("MmPfnDatabase", 0xc0),
    ("MmSizeOfPagedPoolInBytes", 0x140),
    ("PoolTrackTable", 0x1b8),
    ("MmHighestUserAddress", 0x1c8),
    ("MmSystemRangeStart", 0x1d0),
    ("KiProcessorBlock", 0x218),
    ("MmUnloadedDrivers", 0x220),
    ("MmLastUnloadedDriver", 0x228),
    ("KernelVerifier", 0x240),
    ("MmVerifierData", 0x248),
    ("CmNtCSDVersion", 0x268),
    ("MmPhysicalMemoryBlock", 0x270),
];

/// The decoded block.
#[derive(Clone, Debug)]
pub struct DebuggerData {
    bytes: Vec<u8>,
    /// Whether the block in memory was scrambled and had to be decoded.
    pub was_encoded: bool,
}

/// The three values with which a kernel scrambles its block.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The value of `nt!KiWaitNever`.
    pub wait_never: u64,
    /// The value of `nt!KiWaitAlways`.
    pub wait_always: u64,
    /// The address of `nt!KdpDataBlockEncoded`.
    pub encoded_flag: Virt,
}

impl DebuggerData {
    /// Takes a plain block, as crash and triage dumps carry it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the tag `KDBG` or the size is wrong.
    pub fn parse(bytes: &[u8]) -> Result<DebuggerData> {
        let corrupt = |why: String| Error::Corrupt {
            what: "the debugger data block".into(),
            why,
        };
        if bytes.slice_at(0x10, 4) != Some(b"KDBG") {
            return Err(corrupt("its tag is not KDBG".into()));
        }
        let size = bytes.u32_at(0x14).map_or(0, |size| size as usize);
        if !(SMALLEST..=LARGEST).contains(&size) {
            return Err(corrupt(format!(
                "its size {size:#x} is none that a kernel writes"
            )));
        }
        let bytes = bytes.get(..size.min(bytes.len())).unwrap_or(bytes).to_vec();
        Ok(DebuggerData {
            bytes,
            was_encoded: false,
        })
    }

    /// Reads the block at `at`, and decodes it with `key` when it is scrambled.
    ///
    /// Some acquisition tools decode the block and leave the kernel's "encoded" flag set, so the tag decides, not the flag.
    ///
    /// # Errors
    /// A fault, or [`Error::Corrupt`] when neither the plain nor the decoded block has its tag.
    pub fn read(space: &AddressSpace, at: Virt, key: Option<Key>) -> Result<DebuggerData> {
        let mut raw = vec![0; LARGEST];
        let (read, fault) = space.read_prefix(at, &mut raw);
        if read < SMALLEST {
            return Err(fault.map_or_else(
                || Error::Corrupt {
                    what: "the debugger data block".into(),
                    why: "it is cut short".into(),
                },
                Error::from,
            ));
        }
        raw.truncate(read);
        match (DebuggerData::parse(&raw), key) {
            (Err(_), Some(key)) => {
                let mut block = DebuggerData::parse(&decode(&raw, key))?;
                block.was_encoded = true;
                Ok(block)
            }
            (parsed, _) => parsed,
        }
    }

    /// The address at byte `offset` of the block; `None` when it is zero or past the block's end.
    pub fn virt(&self, offset: usize) -> Option<Virt> {
        let value = self.bytes.u64_at(offset)?;
        (value != 0).then_some(Virt(value))
    }

    /// The 16-bit value at byte `offset`: structure offsets such as `OffsetPrcbProcStateContext`.
    pub fn u16(&self, offset: usize) -> Option<u16> {
        self.bytes.u16_at(offset)
    }

    /// The address that the block gives for one of nt's variables; `None` for those that it does not know.
    pub fn symbol(&self, name: &str) -> Option<Virt> {
        SYMBOL_FIELDS
            .iter()
            .find(|(field, _)| *field == name)
            .and_then(|(_, offset)| self.virt(*offset))
    }

    /// `KernBase`.
    pub fn kernel_base(&self) -> Option<Virt> {
        self.virt(0x18)
    }

    /// The text that says which build this is: `NtBuildLab` in old kernels, the longer `NtBuildLabEx` in new ones.
    pub fn build_lab(&self) -> Option<Virt> {
        self.virt(0x208)
    }

    /// `PteBase`, the self-map of the page tables; the block has it since 14393.
    pub fn pte_base(&self) -> Option<Virt> {
        self.virt(0x360)
    }

    /// The block's size in bytes as the kernel states it.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Undoes the kernel's scrambling, eight bytes at a time.
///
/// Every kernel from 7601 to 22000 has the four symbols that this needs; 7601 simply never sets the flag.
fn decode(raw: &[u8], key: Key) -> Vec<u8> {
    let words = raw.as_chunks::<8>().0.iter();
    words
        .flat_map(|word| {
            let rotated = (u64::from_le_bytes(*word) ^ key.wait_never)
                .rotate_left((key.wait_never & 0x3f) as u32);
            let value = (rotated ^ key.encoded_flag.0).swap_bytes() ^ key.wait_always;
            value.to_le_bytes()
        })
        .collect()
}
